"""Machines for the doctor to look at: trees of files, and commands with their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broadcaster.doctor.machine import Machine
from tests.rigs import boards

_BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
FINE = {
    "vcgencmd get_throttled": "throttled=0x0",
    "vcgencmd measure_temp": "temp=48.3'C",
    "iw dev wlan0 get power_save": "Power save: off",
}


@dataclass(frozen=True)
class Patient(Machine):
    """A machine whose files are a tree, and which knows these commands only."""

    answers: dict[str, str] = field(default_factory=dict)

    def has(self, command: str) -> bool:
        return any(known.split()[0] == command for known in self.answers)

    def run(self, *command: str) -> str | None:
        return self.answers.get(" ".join(command))


def pi(root: Path, machine: boards.Machine, answers: Mapping[str, str] | None = None) -> Patient:
    """A Raspberry Pi with Wi-Fi on which all is fine, but for these `answers`."""
    boards.build(root, machine)
    write(root, "etc/os-release", _BOOKWORM)
    write(root, "proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8\n")
    write(root, "sys/class/net/wlan0/operstate", "up\n")
    (root / "sys/class/net/wlan0/phy80211").mkdir()
    write(root, "sys/class/net/lo/operstate", "unknown\n")
    if machine is boards.PI_5:
        write(root, "sys/class/rtc/rtc0/name", "rpi_rtc\n")
    return Patient(root, FINE | dict(answers or {}))


def pc(root: Path) -> Patient:
    """A PC: none of the Pi's commands, a thermal zone, a clock with a battery."""
    boards.build(root, boards.PC)
    write(root, "etc/os-release", _BOOKWORM)
    write(root, "proc/sys/kernel/osrelease", "6.1.0-40-amd64\n")
    write(root, "sys/class/thermal/thermal_zone0/temp", "39000\n")
    write(root, "sys/class/thermal/thermal_zone1/temp", "51500\n")
    write(root, "sys/class/rtc/rtc0/name", "rtc_cmos\n")
    return Patient(root)


def write(root: Path, path: str, text: str) -> None:
    """Make a file of the tree."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")
