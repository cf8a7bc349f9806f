"""The page's modules under `node --test`, so that `pytest` alone runs everything."""

import shutil
import subprocess

import pytest

from tests.house.project import ROOT

TESTS = sorted((ROOT / "tests/viewer").glob("*.mjs"))


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here; `make test` sees to it")
def test_the_pages_modules():
    assert TESTS
    result = subprocess.run(["node", "--test", *TESTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
