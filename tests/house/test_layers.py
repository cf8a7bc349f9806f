"""A file imports only from lower floors: the contracts of `[tool.importlinter]`."""

import subprocess
import sys
from pathlib import Path

from tests.house.project import ROOT


def test_contracts_are_kept():
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
