"""What is done to a file after ffmpeg has made it: display matrices, missing ends, damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

Change = Callable[[Path], None]


def turned(a: int, b: int, c: int, d: int) -> Change:
    """Give the video track of an MP4 a display matrix (ISO/IEC 14496-12 §8.3.2)."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        place = data.find(b"tkhd")
        while place >= 0:
            matrix = place + 4 + (52 if data[place + 4] else 40)
            if any(data[matrix + 36 : matrix + 40]):  # it has a width
                one = 1 << 16
                struct.pack_into(">9i", data, matrix, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
            place = data.find(b"tkhd", place + 4)
        path.write_bytes(data)

    return change


def cut(share: float) -> Change:
    """Keep only a share of the file."""
    return lambda path: path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)]) and None


def damaged(begin: float, count: int) -> Change:
    """Overwrite so many bytes from a share of the file on."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        start = round(len(data) * begin)
        data[start : start + count] = bytes((37 * index + 11) % 256 for index in range(count))
        path.write_bytes(data)

    return change


def joined(*names: str) -> Change:
    """Append files of the same folder to each other."""
    return lambda path: path.write_bytes(b"".join((path.parent / name).read_bytes() for name in names)) and None


def wrapped(before: bytes, after: bytes) -> Change:
    """Put bytes in front of the file and behind it."""
    return lambda path: path.write_bytes(before + path.read_bytes() + after) and None


def written(data: bytes) -> Change:
    """Make a file of these bytes."""
    return lambda path: path.write_bytes(data) and None


def deleted(path: Path) -> None:
    """Delete the file."""
    path.unlink(missing_ok=True)


def folder(path: Path) -> None:
    """Make a folder of that name."""
    path.mkdir()
