"""The ramp-up of a new viewer's bandwidth estimate, during which it does not reflect the network.

A browser's first REMB is 0.86 to 0.98 of the rate received so far. From there it grows by 8 % a second, until it is
well above the sent rate or reaches the network's limit (libwebrtc; measured with Chromium: first 2230 kbit/s of 2520,
and 2540 after 1.5 s). If it counted, every new viewer would lower the bit rate for all.
"""

from __future__ import annotations

FIRST_SHARE = 0.7
"""Fraction of the sent rate below which an estimate counts even during the ramp-up."""

GROWTH = 1.05
"""Factor by which the estimate grows within `GROWS_WITHIN` during the ramp-up."""

GROWS_WITHIN = 2.25
"""Seconds; the estimate pauses for up to half a second during the ramp-up."""


class RampUp:
    """Detects the end of one viewer's ramp-up; rates in bits per second."""

    def __init__(self) -> None:
        self.is_over = False
        self._highest = 0
        self._mark = 0
        self._marked_at = 0.0

    def take(self, estimate: int, rate: float, now: float) -> None:
        """Take an estimate; the ramp-up ends if it is far below the sent `rate`, falls, or stops growing."""
        if self.is_over:
            return
        self._highest = max(self._highest, estimate)
        if estimate > self._mark * GROWTH:
            self._mark, self._marked_at = estimate, now
        is_low = estimate < rate * FIRST_SHARE
        falls = estimate * GROWTH < self._highest
        self.is_over = is_low or falls or now - self._marked_at >= GROWS_WITHIN
