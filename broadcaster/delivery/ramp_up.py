"""A newcomer's bandwidth estimate, which says nothing about its network while it still ramps up.

A browser's first REMB is 0.86 to 0.93 of what it has received so far, and grows by 8 % a second from there, until it
is well above what is sent or finds the network's limit (libwebrtc, measured with Chromium: 2230 kbit/s of 2520 at
first, 2540 after 1.5 s). Taken at its word it would lower the bit rate for everybody whenever somebody joins.
"""

from __future__ import annotations

FIRST_SHARE = 0.7
"""Fraction of what is sent that a first estimate reaches where the network is wide enough."""

GROWTH = 1.05
"""Factor by which the estimate grows within `GROWS_WITHIN` while it ramps up."""

GROWS_WITHIN = 2.25
"""Seconds; while it ramps up the estimate also rests for up to half a second."""


class RampUp:
    """Tells from the first estimates of one viewer when they begin to count; rates in bits per second."""

    def __init__(self) -> None:
        self.is_over = False
        self._highest = 0
        self._mark = 0
        self._marked_at = 0.0

    def take(self, estimate: int, rate: float, now: float) -> None:
        """Take an estimate while `rate` is sent; the ramp ends when it is low, falls, or has not grown for a while."""
        if self.is_over:
            return
        self._highest = max(self._highest, estimate)
        if estimate > self._mark * GROWTH:
            self._mark, self._marked_at = estimate, now
        is_low = estimate < rate * FIRST_SHARE
        falls = estimate * GROWTH < self._highest
        self.is_over = is_low or falls or now - self._marked_at >= GROWS_WITHIN
