"""The files in systemd/: the settings file is the code's, and the unit is one that systemd takes."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from broadcaster.cli.streams import DESCRIPTOR_LIMIT
from broadcaster.settings import template
from tests.house.project import ROOT, read

UNIT = ROOT / "systemd/broadcaster.service"
MOST_EXPOSED = 2.0


def test_the_settings_file_is_the_code_s():
    stale = read("systemd/broadcaster.toml") != template()
    assert not stale, "please type: .venv/bin/broadcaster settings --template >systemd/broadcaster.toml"


def test_the_unit_gives_as_many_descriptors_as_the_daemon_wants():
    assert f"LimitNOFILE={DESCRIPTOR_LIMIT}\n" in UNIT.read_text("utf-8")


def test_the_service_may_listen_on_ports_below_1024_and_has_no_other_capability():
    lines = UNIT.read_text("utf-8").splitlines()
    for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert [line for line in lines if line.startswith(f"{name}=")] == [f"{name}=CAP_NET_BIND_SERVICE"]


@pytest.fixture(scope="module")
def analyze():
    """Runs `systemd-analyze` on the unit as it will be installed."""
    if shutil.which("systemd-analyze") is None:
        subprocess.run([ROOT / "tests/tools.sh", "systemd"], check=False)
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: sudo apt install systemd")

    def run(*arguments: str, unit: str) -> str:
        command = [program, *arguments, unit]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_systemd_has_nothing_to_say_about_the_unit(analyze, tmp_path):
    # The program that it starts is there on an installed system only.
    text = UNIT.read_text("utf-8").replace("/opt/broadcaster/current/bin/broadcaster", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(text, "utf-8")
    said = analyze("verify", "--man=no", unit=str(unit))
    assert "broadcaster" not in said


def test_the_service_is_exposed_as_little_as_promised(analyze):
    said = analyze("security", "--offline=true", unit=str(UNIT))
    exposure = re.search(r"Overall exposure level for broadcaster\.service: ([0-9.]+)", said)
    assert exposure, said
    assert float(exposure[1]) <= MOST_EXPOSED, said
