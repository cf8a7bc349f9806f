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


def frozen_fraction(frames: PresentedFrames, began: int, seconds: float, fps: float = 30) -> float:
    """Return the fraction of the `seconds` from `began` (Unix ms) in which the video was frozen."""
    end = began + int(seconds * 1000)
    times = [began, *_changes(frames), end]
    usual = 1000 / fps
    intervals = (b - a for a, b in itertools.pairwise(times))
    freezes = (interval for interval in intervals if interval > max(3 * usual, usual + _MIN_FREEZE))
    return sum(freezes) / (seconds * 1000)


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
