"""The machine-readable strip along the bottom edge of the test picture. Pure.

Tests read it from decoded pictures to measure loss, order, freezes and true latency. The strip is 1/18 of the
picture's height and has 40 equal cells over its full width, white (luma 235) = 1, black (16) = 0:

| cells | meaning, highest bit first |
|---|---|
| 0, 1 | 1, 0 |
| 2 to 17 | frame number modulo 2^16 |
| 18 to 37 | capture time in Unix milliseconds modulo 2^20 (17 minutes) |
| 38 | even parity of 2 to 37 |
| 39 | the inverse of 38 |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

CELLS = 40
HEIGHT_DIVISOR = 18
"""Picture height divided by strip height."""
NUMBER_BITS = 16
TIME_BITS = 20
WHITE = 235
"""Luma of white (ITU-R BT.601 §2.5.3, limited range)."""
BLACK = 16
"""Luma of black, likewise."""
_THRESHOLD = (WHITE + BLACK) // 2


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of a strip: `number` modulo 2^16, `unix_ms` modulo 2^20."""

    number: int
    unix_ms: int


def height(picture_height: int) -> int:
    """Return the strip's height in rows, for a picture of that height."""
    return picture_height // HEIGHT_DIVISOR


def cells(number: int, unix_ms: int) -> list[bool]:
    """Return the 40 cells for a frame number and a capture time in Unix milliseconds."""
    payload = _bits(number, NUMBER_BITS) + _bits(unix_ms, TIME_BITS)
    parity = sum(payload) % 2 == 1
    return [True, False, *payload, parity, not parity]


def luma_row(number: int, unix_ms: int, width: int) -> bytes:
    """Return one row of luma of the strip, `width` pixels; all its rows are equal."""
    edges = [width * cell // CELLS for cell in range(CELLS + 1)]
    return b"".join(
        bytes([WHITE if cell else BLACK]) * (right - left)
        for cell, (left, right) in zip(cells(number, unix_ms), pairwise(edges), strict=True)
    )


def read(row: Sequence[int]) -> Reading | None:
    """Decode a luma row from the middle of the strip; None if it is not a strip or is damaged."""
    cells_read = [row[len(row) * (2 * cell + 1) // (2 * CELLS)] > _THRESHOLD for cell in range(CELLS)]
    number = _value(cells_read[2 : 2 + NUMBER_BITS])
    unix_ms = _value(cells_read[2 + NUMBER_BITS : CELLS - 2])
    return Reading(number, unix_ms) if cells(number, unix_ms) == cells_read else None


def _bits(value: int, count: int) -> list[bool]:
    return [bool(value >> bit & 1) for bit in reversed(range(count))]


def _value(bits: Sequence[bool]) -> int:
    return sum(1 << bit for bit, is_set in enumerate(reversed(bits)) if is_set)
