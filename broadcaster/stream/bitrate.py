"""An encoder's bit rate follows the viewers that keep up: it falls fast and rises slowly, and ignores outliers.

Each rendition has a bit rate of its own. While viewers on slow networks can get the small rendition, the full one's
follows the majority of its viewers only: if most of them can receive less, the network of this machine is the
bottleneck.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence

from broadcaster.model.stream import Quality, StreamState, StreamStatus
from broadcaster.ports import VideoSource
from broadcaster.stream.rendition import Rendition

log = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two steps: browsers send REMB about as often while it rises."""

FALL_INTERVAL = 0.25
"""Seconds between two checks for a collapse: browsers report it at once, and until the rate falls, the queue at the
bottleneck grows."""

_SUFFICIENT = 0.95
"""Fraction of the rate that a viewer must be able to receive: REMB starts close to what is sent, and fluctuates."""

_COLLAPSED = 0.7
"""Fraction of the rate below which REMB does not merely fluctuate: the rate falls without waiting for the next step."""

_MARGIN = 0.9
"""Fraction of a narrow network's bandwidth that is used: audio and retransmissions need the rest."""

_OUTLIERS = 0.1
"""Fraction of the viewers whose lower estimates are ignored; these viewers are skipped instead."""

_SMALL_FLOOR = 2
"""The full rendition's bit rate does not follow viewers below this multiple of the small one's: the small one does."""

SMALL_MIN_FRACTION = 3 / 8
"""The lowest bit rate of the small rendition, as a fraction of its highest: 150 of 400 kbit/s; below, it is blurred."""

_OVERLOAD_FACTOR = 0.8
"""Factor by which an overloaded machine lowers the rate at each step, besides the margin: below half after three."""

_MAX_GROWTH = 1.08
"""Maximum factor by which the rate grows in a second, like REMB's own: 40 s from a fifth of the rate to nearly all."""

_PROVEN_GROWTH = 1.3
"""Growth in a second where a padding probe has passed: 7 s from a fifth of the rate back to all of it."""

_STEP = 0.05
"""Changes smaller than this fraction are not worth changing the encoder."""


class BitrateRule:
    """The target bit rate between `lowest` and `highest`, in bits per second."""

    def __init__(self, lowest: int, highest: int, small: int = 0) -> None:
        """`small` is the highest bit rate of the small rendition, where this is the rule of the full one."""
        self.rate = highest
        self._lowest = min(lowest, highest)
        self._highest = highest
        self._floor = small * _SMALL_FLOOR

    def step(
        self, estimates: Sequence[int], *, overloaded: bool = False, has_small: bool = False, proven: bool = False
    ) -> int | None:
        """Return the new rate if it changes; call this every `INTERVAL`.

        `estimates` are the bandwidth estimates of the viewers that keep up, ascending; without any, the rate rises to
        the highest. If this machine is `overloaded`, the rate falls whatever the viewers can receive. `has_small`:
        slow viewers can get the small rendition. `proven`: a padding probe has shown that the estimates are right.
        """
        limit = self._limit(estimates, has_small)
        if overloaded:
            limit = min(limit, round(self.rate * _OVERLOAD_FACTOR))
        rising = max(self.rate, min(limit, self.rate * (_PROVEN_GROWTH if proven else _MAX_GROWTH)))
        return self._change(limit * _MARGIN if limit < self.rate * _SUFFICIENT else rising)

    def fall(self, estimates: Sequence[int], *, has_small: bool = False) -> int | None:
        """Return the new rate if the network has collapsed; call this between steps."""
        limit = self._limit(estimates, has_small)
        return self._change(limit * _MARGIN) if limit < self.rate * _COLLAPSED else None

    def _limit(self, estimates: Sequence[int], has_small: bool) -> int:
        if not estimates:
            return self._highest
        if has_small:
            return max(estimates[len(estimates) // 2], self._floor)
        return estimates[_percentile(len(estimates))]

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

    `estimates` returns the bandwidth estimates of the rendition's viewers that count, ascending. Set `overloaded` while
    this machine cannot keep up.
    """

    def __init__(
        self,
        estimates: Callable[[], list[int]],
        rendition: Rendition,
        source: VideoSource,
        lowest: int,
        highest: int,
        *,
        small: int = 0,
        proven: Callable[[], bool] = lambda: False,
    ) -> None:
        """`small` and `proven` are as for `BitrateRule`."""
        self._estimates = estimates
        self._proven = proven
        self._rendition = rendition
        self._source = source
        self._quality = rendition.quality
        self._limits = (lowest, highest, small)
        self._opened_with = highest
        self._rule = BitrateRule(lowest, highest, small)
        self._has_small = False
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
            return
        self._has_small = status.has_small and self._quality is Quality.FULL
        if self._timer is None and self._can_set:
            self._rule = BitrateRule(*self._limits)
            self._rendition.target_bitrate = self._rule.rate
            if self._rule.rate != self._opened_with:
                self._source.set_bitrate(self._rule.rate, self._quality)
            self._checks = 0
            self._schedule()

    def set_limits(self, lowest: int, highest: int) -> bool:
        """Change the lowest and the highest rate; false if the encoder's rate cannot be changed while it runs."""
        if not self._can_set:
            return False
        before = self._rule.rate
        self._limits = (lowest, highest, self._limits[2])
        self._rule = BitrateRule(*self._limits)
        self._rendition.bitrate = highest
        if self._timer is not None:
            self._rule.rate = max(min(before, highest), min(lowest, highest))
            self._set(before)
        return True

    def close(self) -> None:
        """Stop; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _can_set(self) -> bool:
        traits = self._source.traits
        return traits.can_set_bitrate if self._quality is Quality.FULL else traits.small_size is not None

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FALL_INTERVAL, self._check)

    def _check(self) -> None:
        self._schedule()
        self._checks += 1
        before, estimates = self._rule.rate, self._estimates()
        is_step = self._checks % round(INTERVAL / FALL_INTERVAL) == 0
        if is_step:
            rate = self._rule.step(
                estimates, overloaded=self.overloaded, has_small=self._has_small, proven=self._proven()
            )
        else:
            rate = self._rule.fall(estimates, has_small=self._has_small)
        if rate is not None:
            self._set(before)

    def _set(self, before: int) -> None:
        """Give the encoder the rule's rate."""
        rate = self._rule.rate
        self._checks = 0  # after a fall, wait a whole interval before rising
        self._rendition.target_bitrate = rate
        self._source.set_bitrate(rate, self._quality)
        log.debug("bit rate (%s) %d → %d kbit/s", self._quality, before // 1000, rate // 1000)
