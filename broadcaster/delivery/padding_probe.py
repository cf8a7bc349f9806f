"""Padding probe: measures whether the network of a viewer of the small rendition carries the full one.

Packets that the viewer has already are sent again as RTX (RFC 4588), which its decoder ignores, in addition to the
small rendition, at a pace that grows until both together make up the rate to be tried. Receiver reports show whether
video packets are delayed by a queue or lost; then the probe ends before the viewer notices anything.
"""

from __future__ import annotations

from enum import Enum

from broadcaster.delivery.bandwidth_probe import FEW, GROWTH, MUCH_LOSS, SLACK, STEP
from broadcaster.media.rtp import MAX_PACKET

MARGIN = 1.2
"""The rate to be tried, as a multiple of the full rendition's: its pictures differ in size."""

HOLD = 1.0
"""Seconds at the full pace, without a queue, that the network must stand: deep queues fill up slowly."""

LONGEST = 10.0
"""Seconds after which a probe without a result has failed: reports may be missing."""


class ProbeResult(Enum):
    """What a probe has shown so far."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class PaddingProbe:
    """One probe from the rate `start` to `MARGIN` times the rate `full`; rates in bits per second, times in seconds."""

    def __init__(self, start: float, full: float, now: float) -> None:
        self.result = ProbeResult.RUNNING
        self.rate = max(full, start)
        self._start = start
        self._target = self.rate * MARGIN
        self._pace = min(max(start, 1.0) * GROWTH, self._target)
        self._began = now
        self._changed_at = now
        self._lost: int | None = None
        self._packet_rate = start / 8 / MAX_PACKET

    @property
    def padding(self) -> float:
        """Bits per second to send in addition to the small rendition."""
        return self._pace - self._start

    def report(self, lost: int, in_flight: int, round_trip: float, now: float) -> None:
        """Take a report: packets of the video lost in total and in flight, and the round trip without queues."""
        if self._lost is None:
            self._lost = lost
        age = now - self._changed_at
        limit = FEW + self._packet_rate * (2 * round_trip + SLACK)
        has_queue = in_flight > 2 * limit
        is_lossy = lost - self._lost > FEW + MUCH_LOSS * self._packet_rate * (now - self._began)
        if has_queue or is_lossy:
            self.result = ProbeResult.FAILED
        elif self._pace >= self._target:
            if age >= HOLD + round_trip:
                self.result = ProbeResult.PASSED
        elif age >= STEP + round_trip:
            self._pace, self._changed_at = min(self._pace * GROWTH, self._target), now

    def bandwidth_dropped(self, estimate: int) -> None:
        """Take a lower bandwidth estimate: the viewer notices a queue before reports show it."""
        if estimate < self._pace:
            self.result = ProbeResult.FAILED

    def poll(self, now: float) -> None:
        """Give up when there is no result after a while."""
        if now - self._began > LONGEST:
            self.result = ProbeResult.FAILED
