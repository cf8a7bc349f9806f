"""Keeping time with a clock that goes on while we work: when the next item is due, and which are skipped.

Pure: time is an argument.
"""

from __future__ import annotations

LOG_INTERVAL = 10.0
"""Seconds between two log lines about skipped pictures: loud, never a flood."""


class Pace:
    """Evenly spaced due times that give up lost ground instead of piling up latency.

    Item n is due at `start + n * period`, in monotonic seconds. Whoever is later than `patience` seconds
    skips whole periods, so due times stay on the grid.
    """

    def __init__(self, start: float, period: float, patience: float) -> None:
        self._start = start
        self._period = period
        self._patience = patience
        self._index = 0

    def next(self, now: float) -> tuple[int, int]:
        """The index of the item to make next, and how many were skipped to get there."""
        skipped = 0
        late = now - self.due(self._index)
        if late > self._patience:
            skipped = int(late / self._period)
        index = self._index + skipped
        self._index = index + 1
        return index, skipped

    def due(self, index: int) -> float:
        """When item `index` is due."""
        return self._start + index * self._period


class SkipCount:
    """Sums skipped items and says when to log them: at most once in `LOG_INTERVAL`."""

    def __init__(self) -> None:
        self._skipped = 0
        self._reported = float("-inf")

    def add(self, skipped: int, now: float) -> int:
        """Count `skipped` more; returns how many to report now, 0 for silence."""
        self._skipped += skipped
        if self._skipped == 0 or now - self._reported < LOG_INTERVAL:
            return 0
        count, self._skipped, self._reported = self._skipped, 0, now
        return count
