"""Identification of the machine from /proc and /sys, without running programs or opening devices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_text

_ENCODER = "bcm2835-codec-encode"
"""The Raspberry Pi kernel's name of the H.264 encoder of Zero 2 W, 3 and 4 (bcm2835-v4l2-codec.c, which also registers
`-decode`, `-isp` and others). In practice it is /dev/video11, but only the name is reliable."""
_ELF_64 = b"\x7fELF\x02"
"""The first bytes of a 64-bit program (elf(5): EI_MAG0 to EI_CLASS)."""


@dataclass(frozen=True, slots=True)
class Board:
    """Properties of a machine.

    `model` is empty where there is no device tree, as on a PC. `memory` is the kernel's MemTotal in bytes: the nominal
    size less what the firmware reserves. `h264_encoder` is the device path of the hardware encoder, empty where there
    is none (Pi 5, PCs). `is_64_bit` refers to user space: a 64-bit kernel may run 32-bit programs.
    """

    model: str
    memory: int
    h264_encoder: str
    is_64_bit: bool

    @property
    def is_raspberry_pi(self) -> bool:
        """Whether the machine is a Raspberry Pi."""
        return self.model.startswith("Raspberry Pi")

    @property
    def name(self) -> str:
        """The machine's name for display."""
        return self.model or "no Raspberry Pi"


def read_board(root: Path = Path("/")) -> Board:
    """Read /proc and /sys below `root`; what cannot be read is treated as absent."""
    return Board(
        model=read_text(root / "proc/device-tree/model"),
        memory=_memory(read_text(root / "proc/meminfo")),
        h264_encoder=_encoder(root / "sys/class/video4linux"),
        is_64_bit=_is_64_bit(root / "proc/self/exe"),
    )


def _memory(meminfo: str) -> int:
    for line in meminfo.splitlines():
        name, _, amount = line.partition(":")
        if name == "MemTotal":
            return int(amount.split()[0]) * 1024  # proc(5): "kB" there means 1024 bytes
    return 0


def _encoder(folder: Path) -> str:
    names = {path.parent.name: read_text(path) for path in sorted(folder.glob("*/name"))}
    return next((f"/dev/{device}" for device, name in names.items() if name == _ENCODER), "")


def _is_64_bit(program: Path) -> bool:
    try:
        with program.open("rb") as file:
            return file.read(len(_ELF_64)) == _ELF_64
    except OSError:
        return False
