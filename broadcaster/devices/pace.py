"""Real-time pacing of a source: when the next item is due, and which items are skipped.

Pure: time is an argument.
"""

from __future__ import annotations

LOG_INTERVAL = 10.0
"""Minimum seconds between two log lines about skipped items."""


class Pace:
    """Evenly spaced due times; skips items instead of accumulating latency.

    Item n is due at `start + n * period`, in monotonic seconds. A caller that is more than `tolerance` seconds late
    skips whole periods, so due times stay on the grid.
    """

    def __init__(self, start: float, period: float, tolerance: float) -> None:
        self._start = start
        self._period = period
        self._tolerance = tolerance
        self._index = 0

    def next(self, now: float) -> tuple[int, int]:
        """Return the index of the item to produce next, and how many items were skipped before it."""
        skipped = 0
        late = now - self.due(self._index)
        if late > self._tolerance:
            skipped = int(late / self._period)
        index = self._index + skipped
        self._index = index + 1
        return index, skipped

    def due(self, index: int) -> float:
        """Return when item `index` is due."""
        return self._start + index * self._period


class SkipCount:
    """Counts skipped items and limits logging of them to once per `LOG_INTERVAL`."""

    def __init__(self) -> None:
        self._skipped = 0
        self._reported = float("-inf")

    def add(self, skipped: int, now: float) -> int:
        """Count `skipped` more items; return the number to log now, or 0 to log nothing."""
        self._skipped += skipped
        if self._skipped == 0 or now - self._reported < LOG_INTERVAL:
            return 0
        count, self._skipped, self._reported = self._skipped, 0, now
        return count
