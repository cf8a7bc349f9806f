"""What machine this is, read from its own files: nothing is run and no device is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_text

_ENCODER = "bcm2835-codec-encode"
"""What Raspberry Pi's kernel calls the H.264 encoder of Zero 2 W, 3 and 4 (bcm2835-v4l2-codec.c: `-decode`, `-isp` and
others stand beside it); it is /dev/video11 in practice, but only the name says so."""
_ELF_64 = b"\x7fELF\x02"
"""The first bytes of a 64-bit program (elf(5): EI_MAG0 to EI_CLASS)."""


@dataclass(frozen=True, slots=True)
class Board:
    """A machine as it shows itself.

    `model` is empty where there is no device tree, as on a PC. `memory` is in bytes as the kernel counts them: less
    than is printed on the board, by what the firmware keeps. `h264_encoder` is the device of the hardware encoder,
    empty where there is none (Pi 5, PCs). `is_64_bit` speaks of the programs: a 64-bit kernel may run 32-bit ones.
    """

    model: str
    memory: int
    h264_encoder: str
    is_64_bit: bool

    @property
    def is_raspberry_pi(self) -> bool:
        """Whether it is one."""
        return self.model.startswith("Raspberry Pi")

    @property
    def name(self) -> str:
        """What to call it before people."""
        return self.model or "no Raspberry Pi"


def read_board(root: Path = Path("/")) -> Board:
    """Read /proc and /sys below `root`; what cannot be read there is taken for absent."""
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
