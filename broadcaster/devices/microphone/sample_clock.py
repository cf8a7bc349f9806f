"""Capture times of samples: the sound card's clock, its sample count, against the monotonic clock. Pure.

Each arrival of samples is one comparison of the two clocks. Scheduling makes arrivals late, never early, so the true
offset is the lower bound of all comparisons: an arrival that is earlier than expected is followed at once, a later one
slowly, as fast as the worst crystal drifts. Samples are missing, and the clock jumps, only if all arrivals within a
`WINDOW` were late by more than a `GAP`.
"""

from __future__ import annotations

from broadcaster.devices.opus import RATE

WINDOW = 0.5
"""Seconds of arrivals of which at least one is assumed to be on time."""
DRIFT = 0.001
"""Seconds per second that the clock follows later arrivals: crystals are off by at most 0.0002."""
GAP = 0.02
"""Seconds by which a whole window must be late for samples to count as missing: half of what is visible on lips."""
LEAD = 1.0
"""Seconds that a device may run ahead of real time: more than a pipe catches up after a late start."""
LEAK = 0.005
"""Seconds per second by which this lead decays: more than any drift, less than a wrong rate (44.1 kHz: 0.09)."""


class SampleClock:
    """Counts samples, and maps them to monotonic time.

    `missing` is the sum of all gaps so far in seconds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.missing = 0.0
        self._origin: float | None = None
        """The monotonic time of sample 0, by the count; rises if the card is slow, falls if it is fast."""
        self._window_min: float | None = None
        """The origin according to the earliest arrival of the window."""
        self._window_end = 0.0
        self._lead = 0.0

    @property
    def too_fast(self) -> bool:
        """Whether more samples arrived than there was time for, which no microphone does."""
        return self._lead > LEAD

    def add(self, samples: int, now: float) -> float:
        """Count `samples` that arrived at `now`; return the capture time of the first of them."""
        first = self.count
        self.count += samples
        origin = now - self.count / RATE
        if self._origin is None:
            self._origin = origin
        elif origin < self._origin:
            self._move(origin - self._origin)
        if self._window_min is None:
            # Begun here, not at the end of the last window: after a stall, only a window of its own shows the loss.
            self._window_min, self._window_end = origin, now + WINDOW
        self._window_min = min(self._window_min, origin)
        if now >= self._window_end:
            self._close_window(self._window_min - self._origin)
        return self._origin + first / RATE

    def _close_window(self, late: float) -> None:
        if late > GAP:
            self.missing += late
            self._move(late)
        else:
            self._move(min(late, DRIFT * WINDOW))
        self._lead = max(0.0, self._lead - LEAK * WINDOW)
        self._window_min = None

    def _move(self, seconds: float) -> None:
        assert self._origin is not None
        self._origin += seconds
        self._lead = max(0.0, self._lead - seconds)
