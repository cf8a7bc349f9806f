"""The timeline that picture and sound of a looping file share, so that they stay in step. Pure: time is an argument."""

from __future__ import annotations

import threading
from typing import Literal

PATIENCE = 0.5
"""Seconds that a file may fall behind its pace before the timeline gives them up."""
LEAD = 0.1
"""Seconds between the first source's entering and the first picture, in which both get going."""
TAIL = 0.25
"""Seconds of sound after the end of the picture that are cut, so that the picture goes on without a pause."""
_SHORTEST = 0.02
"""Seconds that a loop lasts at least."""

Kind = Literal["video", "audio"]


class Timeline:
    """Positions in seconds since playing began, going on and on over all loops: position p is due at `due(p)`.

    Playing begins when the first source enters and ends when the last one has left. Nobody knows how long a loop
    is before its end has been read: each source says where its part of the loop ends, and the loop ends with the
    longer one. May be used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._players: set[Kind] = set()
        self._origin = 0.0
        self._begins: dict[int, float] = {}
        self._ends: dict[int, dict[Kind, float]] = {}

    def enter(self, kind: Kind, now: float) -> None:
        """A source begins to play; the first one starts the timeline."""
        with self._lock:
            if not self._players:
                self._origin = now + LEAD
                self._begins, self._ends = {0: 0.0}, {}
            self._players.add(kind)

    def leave(self, kind: Kind) -> None:
        """A source has stopped playing; idempotent."""
        with self._lock:
            self._players.discard(kind)

    def plays(self, kind: Kind) -> bool:
        """Whether a source of that kind plays."""
        with self._lock:
            return kind in self._players

    def due(self, position: float) -> float:
        """The monotonic time that belongs to a position."""
        return self._origin + position

    def position(self, now: float) -> float:
        """The position that is due now."""
        return now - self._origin

    def lateness(self, position: float, now: float, patience: float = PATIENCE) -> float:
        """Seconds by which `now` is behind what is due at `position`; negative while there is time.

        A source that is later than `patience` (the machine slept, or cannot keep up) moves the timeline, for picture
        and sound alike, instead of hurrying through what was missed.
        """
        with self._lock:
            late = now - self.due(position)
            if late > patience:
                self._origin += late
                return 0.0
            return late

    def join(self, now: float) -> tuple[int, float, float]:
        """The loop that is playing, the position where it began, and the position from which to play now."""
        with self._lock:
            position = max(0.0, self.position(now))
            loop = max((loop for loop, begin in self._begins.items() if begin <= position), default=0)
            begin = self._begins.get(loop, 0.0)
            # Not too late for the first picture, which is often the only keyframe for seconds.
            return loop, begin, begin if position - begin < PATIENCE else position

    def ended(self, kind: Kind, loop: int, end: float) -> None:
        """The source has read its part of a loop to the end, which lies at position `end`."""
        with self._lock:
            self._ends.setdefault(loop, {})[kind] = end

    def loop_end(self, loop: int) -> float | None:
        """The position where a loop ends and the next one begins; None while a source has still to say."""
        with self._lock:
            if loop + 1 not in self._begins:
                ends = self._ends.get(loop, {})
                if not ends or self._players - ends.keys():
                    return None
                self._begins[loop + 1] = max(_longer(ends), self._begins.get(loop, 0.0) + _SHORTEST)
                for old in [old for old in self._begins if old < loop - 1]:
                    del self._begins[old]
                    self._ends.pop(old, None)
            return self._begins[loop + 1]


def _longer(ends: dict[Kind, float]) -> float:
    video, audio = ends.get("video"), ends.get("audio")
    if video is None or audio is None:
        return max(ends.values())
    return audio if audio > video + TAIL else video
