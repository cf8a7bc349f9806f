"""When samples were captured: the sound card's clock, which is its count of samples, against the monotonic one. Pure.

Each arrival of samples gives one comparison. The processor makes arrivals late, never early, so the truth lies at
the lower edge of all comparisons: what comes earlier than expected is followed at once, what comes later slowly, as
fast as the worst crystal drifts. Only when everything within a `WINDOW` was late by more than a `GAP` are samples
missing, and the clock jumps.
"""

from __future__ import annotations

from broadcaster.devices.opus import RATE

WINDOW = 0.5
"""Seconds of arrivals of which one is trusted to be in time."""
DRIFT = 0.001
"""Seconds a second that the clock follows upward: crystals are off by 0.0002 at most."""
GAP = 0.02
"""Seconds by which a whole window must be late before samples count as missing; half of what lips forgive."""
LEAD = 1.0
"""Seconds that a device may run ahead of real time; the pipe's catching up after a late start is less."""
LEAK = 0.005
"""Seconds a second by which such a lead is forgiven: more than any drift, less than a wrong rate (44.1 kHz: 0.09)."""


class SampleClock:
    """Counts samples, and knows the monotonic time of each.

    `missing` is the sum of all gaps so far in seconds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.missing = 0.0
        self._zero: float | None = None
        """The monotonic time of sample 0, by the count; rises when the card is slow, falls when it is fast."""
        self._least: float | None = None
        """What the earliest arrival of the window says about that time."""
        self._window_end = 0.0
        self._lead = 0.0

    @property
    def too_fast(self) -> bool:
        """Whether more sound came than there was time for: no microphone does that."""
        return self._lead > LEAD

    def arrived(self, samples: int, now: float) -> float:
        """Count `samples` that had been captured by `now`; returns the time at which the first of them was."""
        first = self.count
        self.count += samples
        zero = now - self.count / RATE
        if self._zero is None:
            self._zero = zero
        elif zero < self._zero:
            self._move(zero - self._zero)
        if self._least is None:
            # Not at the end of the last one: of a stall, the window that shows what it cost begins after it.
            self._least, self._window_end = zero, now + WINDOW
        self._least = min(self._least, zero)
        if now >= self._window_end:
            self._close_window(self._least - self._zero)
        return self._zero + first / RATE

    def _close_window(self, late: float) -> None:
        if late > GAP:
            self.missing += late
            self._move(late)
        else:
            self._move(min(late, DRIFT * WINDOW))
        self._lead = max(0.0, self._lead - LEAK * WINDOW)
        self._least = None

    def _move(self, seconds: float) -> None:
        assert self._zero is not None
        self._zero += seconds
        self._lead = max(0.0, self._lead - seconds)
