"""The files in systemd/: the settings template matches the code, and systemd accepts the unit."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from broadcaster.cli.streams import DESCRIPTOR_LIMIT
from broadcaster.settings import template
from tests.house.project import ROOT, read

UNIT = ROOT / "systemd/broadcaster.service"
MAX_EXPOSURE = 2.0


def test_settings_file_matches_the_template():
    stale = read("systemd/broadcaster.toml") != template()
    assert not stale, "run: .venv/bin/broadcaster settings --template >systemd/broadcaster.toml"


def test_unit_allows_the_descriptors_that_the_daemon_needs():
    assert f"LimitNOFILE={DESCRIPTOR_LIMIT}\n" in UNIT.read_text("utf-8")


def test_service_may_bind_low_ports_and_has_no_other_capability():
    lines = UNIT.read_text("utf-8").splitlines()
    for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert [line for line in lines if line.startswith(f"{name}=")] == [f"{name}=CAP_NET_BIND_SERVICE"]


@pytest.fixture(scope="module")
def analyze():
    """Return a function that runs `systemd-analyze` on a unit file."""
    if shutil.which("systemd-analyze") is None:
        subprocess.run([ROOT / "tests/tools.sh", "systemd"], check=False)
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: sudo apt install systemd")

    def run(*arguments: str, unit: str) -> str:
        command = [program, *arguments, unit]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_systemd_reports_no_problem_in_the_unit(analyze, tmp_path):
    # The daemon exists only on an installed system.
    text = UNIT.read_text("utf-8").replace("/opt/broadcaster/current/bin/broadcaster", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text, "utf-8")
    output = analyze("verify", "--man=no", unit=str(unit))
    assert "broadcaster" not in output


def test_exposure_level_is_low(analyze):
    output = analyze("security", "--offline=true", unit=str(UNIT))
    exposure = re.search(r"Overall exposure level for broadcaster\.service: ([0-9.]+)", output)
    assert exposure, output
    assert float(exposure[1]) <= MAX_EXPOSURE, output
