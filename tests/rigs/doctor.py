"""Machines for the checks of `broadcaster check`: folders with files, and commands with fixed output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from broadcaster.doctor.machine import Machine
from tests.rigs import boards

_BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
HEALTHY_OUTPUTS = {
    "vcgencmd get_throttled": "throttled=0x0",
    "vcgencmd measure_temp": "temp=48.3'C",
    "iw dev wlan0 get power_save": "Power save: off",
}


@dataclass(frozen=True)
class FakeMachine(Machine):
    """A machine with files below `root`, on which only the commands in `outputs` are installed."""

    outputs: dict[str, str] = field(default_factory=dict)

    def has_command(self, name: str) -> bool:
        return any(command.split()[0] == name for command in self.outputs)

    def run(self, *command: str) -> str | None:
        return self.outputs.get(" ".join(command))


def make_pi(root: Path, board: boards.FakeBoard, outputs: Mapping[str, str] | None = None) -> FakeMachine:
    """Build a healthy Raspberry Pi with Wi-Fi; `outputs` replace those of healthy commands."""
    boards.build(root, board)
    write(root, "etc/os-release", _BOOKWORM)
    write(root, "proc/sys/kernel/osrelease", "6.12.47+rpt-rpi-v8\n")
    write(root, "sys/class/net/wlan0/operstate", "up\n")
    (root / "sys/class/net/wlan0/phy80211").mkdir()
    write(root, "sys/class/net/lo/operstate", "unknown\n")
    if board is boards.PI_5:
        write(root, "sys/class/rtc/rtc0/name", "rpi_rtc\n")
    return FakeMachine(root, HEALTHY_OUTPUTS | dict(outputs or {}))


def make_pc(root: Path) -> FakeMachine:
    """Build a PC with thermal zones and a battery-backed clock, but without the commands of a Pi."""
    boards.build(root, boards.PC)
    write(root, "etc/os-release", _BOOKWORM)
    write(root, "proc/sys/kernel/osrelease", "6.1.0-40-amd64\n")
    write(root, "sys/class/thermal/thermal_zone0/temp", "39000\n")
    write(root, "sys/class/thermal/thermal_zone1/temp", "51500\n")
    write(root, "sys/class/rtc/rtc0/name", "rtc_cmos\n")
    return FakeMachine(root)


def write(root: Path, path: str, text: str) -> None:
    """Write a file below `root` and create its folders."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")
