"""Who saw the stream when: one entry for each viewer and second.

A viewer-second is a whole second of the monotonic clock at one viewer's place. It is

* *excused* when an injected fault concerns that viewer: from its beginning until the time that recovery may take,
* *unscheduled* when the machine did not let the viewer's process, or the one that plays the faults, run for more
  than half a second: nobody can say what arrived,
* else *live* when at least half of its pictures arrived in it, and *missed* when fewer did.

The share is live seconds in those that are live or missed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

LEAST = 15
"""Pictures of a live second; the fake camera gives 30."""


@dataclass(slots=True)
class Tally:
    """Numbers of viewer-seconds, and which were missed."""

    live: int = 0
    excused: int = 0
    unscheduled: int = 0
    missed: list[tuple[int, int]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the seconds that count, 0 to 1; 0 when none counts: that proves nothing."""
        return self.live / counted if (counted := self.live + len(self.missed)) else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """From which second until before which one a fault excuses that viewer, or all (`None`)."""

    name: str
    viewer: int | None
    begin: int
    end: int

    def excuses(self, viewer: int, second: int) -> bool:
        """Whether it does."""
        return self.viewer in (None, viewer) and self.begin <= second < self.end


class Accounts:
    """Takes in what is seen, and adds it up in the end."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self._pictures: dict[int, dict[int, int]] = defaultdict(dict)
        self._unscheduled: dict[int | None, set[int]] = defaultdict(set)

    def seen(self, viewer: int, second: int, pictures: int) -> None:
        """So many pictures came to that viewer in that second."""
        self._pictures[viewer][second] = self._pictures[viewer].get(second, 0) + pictures

    def unscheduled(self, viewer: int | None, begin: float, end: float) -> None:
        """That viewer's process, or the one that plays the faults (`None`), did not run then."""
        self._unscheduled[viewer].update(range(math.floor(begin), math.ceil(end)))

    def excuse(self, name: str, viewer: int | None, begin: float, end: float) -> None:
        """A fault concerns that viewer, or all (`None`), from one moment to another; seconds begun count whole."""
        self.windows.append(Window(name, viewer, math.floor(begin), math.ceil(end)))

    def tally(self, viewers: int, begin: int, end: int) -> Tally:
        """All seconds from `begin` until before `end`."""
        tally = Tally()
        for viewer in range(viewers):
            for second in range(begin, end):
                self._enter(tally, viewer, second)
        return tally

    def longest_silence(self, window: Window, viewers: int) -> int:
        """Most seconds in a row that were not live within the window, at one of those whom it concerns."""
        concerned = range(viewers) if window.viewer is None else (window.viewer,)
        return max(max(self._silences(viewer, window), default=0) for viewer in concerned)

    def _enter(self, tally: Tally, viewer: int, second: int) -> None:
        if any(window.excuses(viewer, second) for window in self.windows):
            tally.excused += 1
        elif second in self._unscheduled[viewer] or second in self._unscheduled[None]:
            tally.unscheduled += 1
        elif self._is_live(viewer, second):
            tally.live += 1
        else:
            tally.missed.append((viewer, second))

    def _silences(self, viewer: int, window: Window) -> Iterator[int]:
        silent = 0
        for second in range(window.begin, window.end):
            silent = 0 if self._is_live(viewer, second) else silent + 1
            yield silent

    def _is_live(self, viewer: int, second: int) -> bool:
        return self._pictures[viewer].get(second, 0) >= LEAST
