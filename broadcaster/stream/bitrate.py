"""The encoder's bit rate follows the viewers that keep up: it falls fast and rises slowly, and ignores outliers."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence

from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.ports import VideoSource

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two steps: browsers send REMB about as often while it rises."""

FALL_INTERVAL = 0.25
"""Seconds between two checks for a collapse: browsers report one at once, and every moment at the old rate makes the
queue at the bottleneck longer."""

_ENOUGH = 0.95
"""Fraction of the rate that a viewer must be able to receive: REMB starts close to what is sent, and fluctuates."""

_COLLAPSED = 0.7
"""Fraction of the rate below which REMB does not merely fluctuate: the rate falls without waiting for the next step."""

_MARGIN = 0.9
"""Fraction of the bandwidth of a too narrow network that is used: audio and retransmissions need the rest."""

_OUTLIERS = 0.1
"""Fraction of the viewers whose lower estimates are ignored; these viewers are skipped instead."""

_EASE = 0.8
"""Factor by which an overloaded machine lowers the rate at each step, besides the margin: below half after three."""

_UP = 1.08
"""Maximum growth in a second, like REMB's own: 40 s from a fifth of the rate back to nearly all of it."""

_STEP = 0.05
"""Changes smaller than this fraction are not worth changing the encoder."""


class BitrateRule:
    """The target bit rate between `lowest` and `highest`, in bits per second."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.rate = highest
        self._lowest = min(lowest, highest)
        self._highest = highest

    def step(self, estimates: Sequence[int], *, overloaded: bool = False) -> int | None:
        """Return the new rate if it changes; call this every `INTERVAL`.

        `estimates` are the bandwidth estimates of the viewers that keep up, ascending; without any, the rate rises to
        the highest. If this machine is `overloaded`, the rate falls whatever the viewers can receive.
        """
        limit = self._limit(estimates)
        if overloaded:
            limit = min(limit, round(self.rate * _EASE))
        rising = max(self.rate, min(limit, self.rate * _UP))
        return self._change(limit * _MARGIN if limit < self.rate * _ENOUGH else rising)

    def fall(self, estimates: Sequence[int]) -> int | None:
        """Return the new rate if the network has collapsed; call this between steps."""
        limit = self._limit(estimates)
        return self._change(limit * _MARGIN) if limit < self.rate * _COLLAPSED else None

    def _limit(self, estimates: Sequence[int]) -> int:
        return estimates[_percentile(len(estimates))] if estimates else self._highest

    def _change(self, target: float) -> int | None:
        rate = round(max(self._lowest, min(self._highest, target)))
        is_small = abs(rate - self.rate) < _STEP * self.rate
        if rate == self.rate or (is_small and rate not in (self._lowest, self._highest)):
            return None
        self.rate = rate
        return rate


def _percentile(count: int) -> int:
    """Return the index of the estimate that decides: above the outliers, and never the lowest of three or more."""
    return 0 if count < 3 else max(1, math.floor(count * _OUTLIERS))


class BitrateControl:
    """Applies the rule to the encoder several times a second while the stream is live; rates in bits per second.

    `estimates` returns the bandwidth estimates of the viewers that count, ascending. Set `overloaded` while this
    machine cannot keep up.
    """

    def __init__(self, estimates: Callable[[], list[int]], source: VideoSource, lowest: int, highest: int) -> None:
        self._estimates = estimates
        self._source = source
        self._limits = (lowest, highest)
        self._rule = BitrateRule(lowest, highest)
        self._timer: asyncio.TimerHandle | None = None
        self._checks = 0
        self.overloaded = False

    @property
    def can_fall(self) -> bool:
        """Whether the rate can fall further."""
        return self._timer is not None and self._rule.rate > self._limits[0]

    @property
    def rate(self) -> int:
        """The current target of the encoder."""
        return self._rule.rate

    def stream_changed(self, status: StreamStatus) -> None:
        """Start when the stream goes live, with the encoder at its highest rate; stop when it is no longer live."""
        if status.state is not StreamState.LIVE:
            self.close()
        elif self._timer is None and self._source.traits.can_set_bitrate:
            self._rule = BitrateRule(*self._limits)
            self._checks = 0
            self._schedule()

    def close(self) -> None:
        """Stop; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FALL_INTERVAL, self._check)

    def _check(self) -> None:
        self._schedule()
        self._checks += 1
        before, estimates = self._rule.rate, self._estimates()
        is_step = self._checks % round(INTERVAL / FALL_INTERVAL) == 0
        rate = self._rule.step(estimates, overloaded=self.overloaded) if is_step else self._rule.fall(estimates)
        if rate is not None:
            self._checks = 0  # after a fall, wait a whole interval before rising
            self._source.set_bitrate(rate)
            log.debug("bit rate %d → %d kbit/s", before // 1000, rate // 1000)
