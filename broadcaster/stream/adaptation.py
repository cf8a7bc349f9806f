"""Lets the encoder follow what the viewers' networks carry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.ports import VideoSource
from broadcaster.stream.bitrate import FALL_INTERVAL, INTERVAL, RateRule

log = logging.getLogger(__name__)


class Adaptation:
    """Looks at the viewers several times a second while the stream is live; rates in bits a second.

    `estimates` gives the bandwidth estimates of the viewers that count, ascending. `overloaded` is set while this
    machine cannot keep up: then the rate falls whatever the viewers can receive.
    """

    def __init__(self, estimates: Callable[[], list[int]], source: VideoSource, lowest: int, highest: int) -> None:
        self._estimates = estimates
        self._source = source
        self._limits = (lowest, highest)
        self._rule = RateRule(lowest, highest)
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0
        self.overloaded = False

    @property
    def can_ease(self) -> bool:
        """Whether the rate can fall further."""
        return self._timer is not None and self._rule.rate > self._limits[0]

    @property
    def rate(self) -> int:
        """The rate that is asked of the encoder now."""
        return self._rule.rate

    def stream_changed(self, status: StreamStatus) -> None:
        """Begin when the stream goes live, where the encoder has its highest rate; end when it no longer is."""
        if status.state is not StreamState.LIVE:
            self.close()
        elif self._timer is None and self._source.traits.can_set_bitrate:
            self._rule = RateRule(*self._limits)
            self._looks = 0
            self._later()

    def close(self) -> None:
        """Look no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(FALL_INTERVAL, self._look)

    def _look(self) -> None:
        self._later()
        self._looks += 1
        before, estimates = self._rule.rate, self._estimates()
        between = self._looks % round(INTERVAL / FALL_INTERVAL)
        rate = self._rule.fall(estimates) if between else self._rule.step(estimates, overloaded=self.overloaded)
        if rate is not None:
            self._looks = 0  # it does not climb a moment after a fall
            self._source.set_bitrate(rate)
            log.debug("bit rate %d → %d kbit/s", before // 1000, rate // 1000)
