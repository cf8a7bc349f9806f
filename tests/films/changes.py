"""Changes to a file that ffmpeg has made: display matrices, truncation, damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

Change = Callable[[Path], None]


def with_display_matrix(a: int, b: int, c: int, d: int) -> Change:
    """Give the video track of an MP4 a display matrix (ISO/IEC 14496-12 §8.3.2)."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        position = data.find(b"tkhd")
        while position >= 0:
            matrix = position + 4 + (52 if data[position + 4] else 40)
            if any(data[matrix + 36 : matrix + 40]):  # it has a width
                one = 1 << 16
                struct.pack_into(">9i", data, matrix, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
            position = data.find(b"tkhd", position + 4)
        path.write_bytes(data)

    return change


def truncated(fraction: float) -> Change:
    """Keep only the first `fraction` of the file."""
    return lambda path: path.write_bytes(path.read_bytes()[: round(path.stat().st_size * fraction)]) and None


def damaged(fraction: float, count: int) -> Change:
    """Overwrite `count` bytes, starting at `fraction` of the file."""

    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        start = round(len(data) * fraction)
        data[start : start + count] = bytes((37 * index + 11) % 256 for index in range(count))
        path.write_bytes(data)

    return change


def concatenated(*names: str) -> Change:
    """Replace the file by the concatenation of files in its folder."""
    return lambda path: path.write_bytes(b"".join((path.parent / name).read_bytes() for name in names)) and None


def surrounded(before: bytes, after: bytes) -> Change:
    """Add bytes before and after the content of the file."""
    return lambda path: path.write_bytes(before + path.read_bytes() + after) and None


def replaced(data: bytes) -> Change:
    """Replace the content of the file by these bytes."""
    return lambda path: path.write_bytes(data) and None


def deleted(path: Path) -> None:
    """Delete the file."""
    path.unlink(missing_ok=True)


def folder(path: Path) -> None:
    """Create a folder with that name."""
    path.mkdir()
