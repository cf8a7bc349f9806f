"""What a viewer saw, computed from the frames that were presented: `Viewer.pictures` of the browser rig."""

from __future__ import annotations

import itertools

PresentedFrames = list[list[int] | None]
"""Time of presentation (Unix ms), number and capture time of each frame; None if its strip could not be read."""

FLUENT_FRAMES = 10
"""Video is fluent when as many frames follow each other, none later than `MAX_INTERVAL` ms after the one before."""
MAX_INTERVAL = 250

_MIN_FREEZE = 150
"""Delay of a frame in ms that counts as a freeze, as in webrtc-stats (`freezeCount`)."""
_MAX_DELAY = 40
"""Delay of an event in ms after which a freeze has a cause outside of the player."""
_JUST_BEFORE = 200
"""Time in ms for which the player has data."""


Freeze = tuple[int, int]
"""Its beginning and end (Unix ms)."""


def freezes(frames: PresentedFrames, began: int, seconds: float, fps: float = 30) -> list[Freeze]:
    """Return the freezes within the `seconds` from `began` (Unix ms)."""
    end = began + int(seconds * 1000)
    times = [began, *_changes(frames), end]
    usual = 1000 / fps
    return [(a, b) for a, b in itertools.pairwise(times) if b - a > max(3 * usual, usual + _MIN_FREEZE)]


def unprovoked(freezes: list[Freeze], events: list[int], usual: float) -> list[Freeze]:
    """Return the freezes during which and just before which no `events` (Unix ms) were further apart than usual.

    The others have been caused by what delayed these events: timers, if the process got no processor time.
    """
    gaps = [(a, b) for a, b in itertools.pairwise(events) if b - a > usual + _MAX_DELAY]
    return [(a, b) for a, b in freezes if not any(first < b and last > a - _JUST_BEFORE for first, last in gaps)]


def frozen_fraction(frames: PresentedFrames, began: int, seconds: float, fps: float = 30) -> float:
    """Return the fraction of the `seconds` from `began` (Unix ms) in which the video was frozen."""
    return sum(b - a for a, b in freezes(frames, began, seconds, fps)) / (seconds * 1000)


def seconds_until_fluent(frames: PresentedFrames, start: int) -> float | None:
    """Return the seconds from `start` (Unix ms) until video is fluent; None if it never is."""
    times = [time for time in _changes(frames) if time >= start]
    for index in range(len(times) - FLUENT_FRAMES + 1):
        if all(b - a < MAX_INTERVAL for a, b in itertools.pairwise(times[index : index + FLUENT_FRAMES])):
            return (times[index] - start) / 1000
    return None


def broken_frames(frames: PresentedFrames) -> int:
    """Return the number of frames whose strip could not be read, or that were older than the one before."""
    numbers = [frame[1] for frame in frames if frame]
    backwards = sum((b - a) % (1 << 16) >= 1 << 15 for a, b in itertools.pairwise(numbers))
    return backwards + sum(frame is None for frame in frames)


def _changes(frames: PresentedFrames) -> list[int]:
    """Return the times at which a new frame was presented."""
    readable = [frame for frame in frames if frame]
    first = [readable[0][0]] if readable else []
    return first + [b[0] for a, b in itertools.pairwise(readable) if b[1] != a[1]]
