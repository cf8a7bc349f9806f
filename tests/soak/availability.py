"""Availability of the stream to each viewer in each second.

A viewer-second is a whole second of the monotonic clock in one viewer slot. It is

* *excused* if an injected fault affects that viewer: from its beginning until the end of the allowed recovery time,
* *unscheduled* if the viewer's process, or the one that injects faults, did not run for more than half a second: then
  it is unknown what arrived,
* otherwise *live* if at least half of its frames arrived, and *missed* if fewer did.

The live fraction is computed from live and missed seconds only.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

FPS = 30
"""Frames per second of the camera."""
MIN_FRAMES = FPS // 2
"""Minimum frames of a live second."""


@dataclass(slots=True)
class Tally:
    """Numbers of viewer-seconds, the (viewer, second) pairs that were missed, and the frames of both."""

    live: int = 0
    excused: int = 0
    unscheduled: int = 0
    frames: int = 0
    missed: list[tuple[int, int]] = field(default_factory=list)

    @property
    def live_fraction(self) -> float:
        """Live seconds as a fraction of live and missed ones; 0 if there are none."""
        return self.live / self.counted if self.counted else 0.0

    @property
    def counted(self) -> int:
        """The number of live and missed seconds."""
        return self.live + len(self.missed)

    @property
    def frame_fraction(self) -> float:
        """The frames as a fraction of those that the camera delivered in live and missed seconds; 0 without any."""
        return self.frames / (self.counted * FPS) if self.counted else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds from `begin` to before `end` in which a fault excuses `viewer`, or all viewers (`None`)."""

    name: str
    viewer: int | None
    begin: int
    end: int

    def excuses(self, viewer: int, second: int) -> bool:
        """Whether the window excuses `second` of `viewer`."""
        return self.viewer in (None, viewer) and self.begin <= second < self.end


class Availability:
    """Collects the frames received by viewers, and the times that do not count."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self._frames: dict[int, dict[int, int]] = defaultdict(dict)
        self._unscheduled: dict[int | None, set[int]] = defaultdict(set)

    def add_frames(self, viewer: int, second: int, frames: int) -> None:
        """Add frames that the viewer received in that second."""
        self._frames[viewer][second] = self._frames[viewer].get(second, 0) + frames

    def add_unscheduled(self, viewer: int | None, begin: float, end: float) -> None:
        """Record that the viewer's process, or the one that injects faults (`None`), did not run."""
        self._unscheduled[viewer].update(range(math.floor(begin), math.ceil(end)))

    def excuse(self, name: str, viewer: int | None, begin: float, end: float) -> None:
        """Excuse the viewer, or all viewers (`None`); partial seconds count as whole ones."""
        self.windows.append(Window(name, viewer, math.floor(begin), math.ceil(end)))

    def tally(self, viewers: Iterable[int], begin: int, end: int) -> Tally:
        """Count the seconds of these viewers from `begin` to before `end`."""
        tally = Tally()
        for viewer in viewers:
            for second in range(begin, end):
                self._count(tally, viewer, second)
        return tally

    def longest_silence(self, window: Window, viewers: int) -> int:
        """Return the longest sequence of seconds in the window that were not live for one of the affected viewers."""
        affected = range(viewers) if window.viewer is None else (window.viewer,)
        return max(max(self._silences(viewer, window), default=0) for viewer in affected)

    def _count(self, tally: Tally, viewer: int, second: int) -> None:
        if any(window.excuses(viewer, second) for window in self.windows):
            tally.excused += 1
        elif second in self._unscheduled[viewer] or second in self._unscheduled[None]:
            tally.unscheduled += 1
        else:
            tally.frames += self._frames[viewer].get(second, 0)
            if self._is_live(viewer, second):
                tally.live += 1
            else:
                tally.missed.append((viewer, second))

    def _silences(self, viewer: int, window: Window) -> Iterator[int]:
        silent = 0
        for second in range(window.begin, window.end):
            silent = 0 if self._is_live(viewer, second) else silent + 1
            yield silent

    def _is_live(self, viewer: int, second: int) -> bool:
        return self._frames[viewer].get(second, 0) >= MIN_FRAMES
