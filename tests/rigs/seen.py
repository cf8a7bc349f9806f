"""What a person saw, from the pictures that were presented: `Viewer.pictures` of the browser rig."""

from __future__ import annotations

import itertools

Pictures = list[list[int] | None]
"""Each is presented at (Unix ms), its number and time of capture; None for one whose strip could not be read."""

FLOW = 10
"""Pictures one after the other, none later than `STEP` ms after the one before: it flows."""
STEP = 250

_LEAST_FREEZE = 150
"""Milliseconds by which a picture is late in a freeze, as webrtc-stats counts them (`freezeCount`)."""


def frozen(pictures: Pictures, began: int, seconds: float, fps: float = 30) -> float:
    """Share of the `seconds` from `began` (Unix ms) in which the picture stood still."""
    end = began + int(seconds * 1000)
    times = [began, *_changes(pictures), end]
    usual = 1000 / fps
    waits = (b - a for a, b in itertools.pairwise(times))
    return sum(wait for wait in waits if wait > max(3 * usual, usual + _LEAST_FREEZE)) / (seconds * 1000)


def flows_after(pictures: Pictures, moment: int) -> float | None:
    """Seconds from `moment` (Unix ms) to the first of `FLOW` new pictures without a pause; None if there are none."""
    times = [time for time in _changes(pictures) if time >= moment]
    for index in range(len(times) - FLOW + 1):
        if all(b - a < STEP for a, b in itertools.pairwise(times[index : index + FLOW])):
            return (times[index] - moment) / 1000
    return None


def broken(pictures: Pictures) -> int:
    """Pictures whose strip could not be read, or that were older than the one before."""
    numbers = [picture[1] for picture in pictures if picture]
    backwards = sum((b - a) % (1 << 16) >= 1 << 15 for a, b in itertools.pairwise(numbers))
    return backwards + sum(picture is None for picture in pictures)


def _changes(pictures: Pictures) -> list[int]:
    """When a picture was presented that had not been there before."""
    read = [picture for picture in pictures if picture]
    first = [read[0][0]] if read else []
    return first + [b[0] for a, b in itertools.pairwise(read) if b[1] != a[1]]
