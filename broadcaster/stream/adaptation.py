"""Lets the encoder follow what the viewers' networks carry."""

from __future__ import annotations

import asyncio
import logging

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.fanout import Fanout
from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.ports import VideoSource
from broadcaster.stream.bitrate import FALL_INTERVAL, INTERVAL, RateRule

log = logging.getLogger(__name__)


class Adaptation:
    """Looks at the viewers several times a second while the stream is live; rates in bits a second.

    `overloaded` is set while this machine cannot keep up: then the rate falls whatever the viewers carry.
    """

    def __init__(self, fanout: Fanout, source: VideoSource, lowest: int, highest: int) -> None:
        self._fanout = fanout
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
        before, carried = self._rule.rate, self._carried()
        between = self._looks % round(INTERVAL / FALL_INTERVAL)
        rate = self._rule.fall(carried) if between else self._rule.step(carried, overloaded=self.overloaded)
        if rate is not None:
            self._looks = 0  # it does not climb a moment after a fall
            self._source.set_bitrate(rate)
            log.debug("bit rate %d → %d kbit/s", before // 1000, rate // 1000)

    def _carried(self) -> list[int]:
        """What each viewer that keeps up can carry, as far as it has said, ascending; of slow ones where none does."""
        viewers = self._fanout.viewers.values()
        heard = [viewer for viewer in viewers if viewer.health is ViewerHealth.WELL] or viewers
        return sorted(viewer.remb for viewer in heard if viewer.remb is not None)
