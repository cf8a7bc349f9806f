"""The check for a supported Python, which runs before anything is installed."""

import subprocess
import sys

import pytest

from broadcaster.supported import unsupported
from tests.house.project import ROOT

SIZE_32, SIZE_64 = 2**31 - 1, 2**63 - 1


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_versions(version):
    assert unsupported(version, SIZE_64) is None


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 10), (3, 14), (4, 0)])
def test_unsupported_versions_name_the_supported_ones(version):
    assert "3.11 to 3.13" in unsupported(version, SIZE_64)


def test_32_bit_python_is_reported_in_one_line():
    message = unsupported((3, 11), SIZE_32)
    assert "64-bit" in message
    assert "\n" not in message


def test_module_runs_as_a_script():
    done = subprocess.run([sys.executable, ROOT / "broadcaster/supported.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_make_stops_with_one_line_on_32_bit_python(tmp_path):
    program = f"import runpy, sys; sys.maxsize = {SIZE_32}; runpy.run_path(sys.argv[1], run_name='__main__')"
    python = tmp_path / "python32"
    python.write_text(f'#!/bin/sh\ncase $1 in *.py) exec {sys.executable} -c "{program}" "$@" ;; esac\n')
    python.chmod(0o755)
    target = tmp_path / "venv/bin/broadcaster"
    command = ["make", "--directory", ROOT, f"PYTHON={python}", f"BIN={target.parent}", target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert not (tmp_path / "venv").exists()
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(lines) == 1, done.stderr
    assert "64-bit" in lines[0]
