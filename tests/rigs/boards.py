"""Boards as folders with /proc, /sys and /dev, for code that takes the root folder as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_CODEC = {
    10: "bcm2835-codec-decode",
    11: "bcm2835-codec-encode",
    12: "bcm2835-codec-isp",
    13: "bcm2835-isp-output0",
    14: "bcm2835-isp-capture0",
    15: "bcm2835-isp-capture1",
    16: "bcm2835-isp-stats0",
    18: "bcm2835-codec-image_fx",
    31: "bcm2835-codec-encode_image",
}
_PI_NODES = ("vchiq", "vcio", "gpiochip0", "dma_heap/linux,cma", "dma_heap/system", "media0")


@dataclass(frozen=True)
class FakeBoard:
    """The contents of the folders: `memory` is MemTotal in kB, `video` the names of /dev/videoN by number."""

    model: str
    memory: int
    video: dict[int, str]
    nodes: tuple[str, ...] = _PI_NODES
    elf_machine: int = 0xB7
    """e_machine of the programs (elf(5)): 0xB7 is AArch64, 0x3E x86-64, 0x28 32-bit ARM."""


ZERO_2_W = FakeBoard("Raspberry Pi Zero 2 W Rev 1.0", 437_904, {0: "unicam-image", **_CODEC})
PI_3 = FakeBoard("Raspberry Pi 3 Model B Plus Rev 1.3", 931_116, {0: "unicam-image", **_CODEC})
PI_4 = FakeBoard("Raspberry Pi 4 Model B Rev 1.4", 3_884_360, {0: "unicam-image", 19: "rpi-hevc-dec", **_CODEC})
PI_4_32_BIT = FakeBoard(PI_4.model, PI_4.memory, PI_4.video, elf_machine=0x28)
PI_5 = FakeBoard(
    "Raspberry Pi 5 Model B Rev 1.0",
    8_245_264,
    {0: "rp1-cfe-csi2_ch0", 19: "rpi-hevc-dec", 20: "pispbe-input", 22: "pispbe-output0"},
    ("vcio", *(node for node in _PI_NODES if node not in ("vchiq", "vcio"))),
)
PC = FakeBoard("", 16_303_412, {0: "Integrated Camera: Integrated C"}, (), elf_machine=0x3E)


def build(root: Path, board: FakeBoard) -> Path:
    """Create the files of `board` below `root`; return `root`."""
    _write(root / "proc/meminfo", f"MemTotal:       {board.memory:8} kB\nMemFree:         100000 kB\n")
    if board.model:
        _write(root / "proc/device-tree/model", board.model + "\0")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/exe").write_bytes(_elf(board.elf_machine))
    for number, name in board.video.items():
        _write(root / f"sys/class/video4linux/video{number}/name", name + "\n")
        _write(root / f"dev/video{number}", "")
    for node in board.nodes:
        _write(root / "dev" / node, "")
    return root


def _elf(machine: int) -> bytes:
    """Return the header of a program (elf(5)) up to e_machine."""
    bits = 1 if machine == 0x28 else 2
    return b"\x7fELF" + bytes([bits, 1, 1, 0]) + bytes(8) + (3).to_bytes(2, "little") + machine.to_bytes(2, "little")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
