"""How fast recordings are downloaded: less than this machine can, and less than viewers need.

While somebody watches, all downloads together share a rate that falls as soon as viewers lose more packets, are sent
fewer pictures or a lower bit rate than before, and then rises again slowly, up to a little below where that happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from broadcaster.model.stats import Capacity

MAX_RATE = 20_000_000
"""Bytes per second: of one download, and of all together while somebody watches."""

MIN_RATE = 250_000
"""Bytes per second of all downloads while viewers need the uplink: they go on, and do not end by a time limit."""

START_RATE = 4_000_000
"""Bytes per second with which downloads begin while somebody watches."""

INTERVAL = 1.0
"""Seconds between two looks at the viewers."""

_FALL, _RISE, _SLOW_RISE = 0.5, 1.25, 1.02
"""Factors of the rate for each interval; slow above the ceiling, which is below the rate that was too much."""
_CEILING = 0.8
_LOSS = 0.03
"""Fraction of packets that are sent again from which viewers suffer; wireless networks always lose some."""
_PATIENCE, _TOLERANCE = 5, 1.5
"""Intervals at the lowest rate until downloads are not blamed any more, and how much worse things may get then."""
_BLOCK, _SMALL_BLOCK = 256 * 1024, 64 * 1024
"""Bytes that are sent at once: few while somebody watches, because viewers' packets wait behind them."""
_MAX_DEBT = 1.0
"""Seconds that a slow client may make up for."""


@dataclass(frozen=True, slots=True)
class ViewerState:
    """What the viewers get: totals of packets, those sent again and skipped pictures, and the encoder's bit rate."""

    viewers: int
    packets: int = 0
    retransmitted: int = 0
    skipped: int = 0
    bitrate: int = 0
    small: int = 0


def viewer_state(viewers: int, capacity: Capacity) -> ViewerState:
    """Return the state of the viewers."""
    traffic, small = capacity.traffic, capacity.renditions.get("small")
    return ViewerState(
        viewers, traffic.packets, traffic.retransmitted, traffic.pictures_skipped, capacity.bitrate_wanted,
        0 if small is None else small.viewers,
    )  # fmt: skip


class DownloadRate:
    """The rate of all downloads together, in bytes per second, while somebody watches. Pure."""

    def __init__(self, state: ViewerState) -> None:
        self.rate = float(START_RATE if state.viewers else MAX_RATE)
        self._ceiling = float(MAX_RATE)
        self._last = state
        self._slowest = 0
        self._usual_skips, self._usual_loss = 0.0, _LOSS

    @property
    def is_shared(self) -> bool:
        """Whether it is the rate of all downloads together, because somebody watches; else it is that of each."""
        return self._last.viewers > 0

    def update(self, state: ViewerState) -> None:
        """Take the viewers' state, once in each `INTERVAL`."""
        last, self._last = self._last, state
        if not state.viewers:
            self.rate = self._ceiling = float(MAX_RATE)
        elif not last.viewers:
            self.rate = min(self.rate, START_RATE)
        elif self._suffer(last, state):
            self._ceiling = max(self.rate * _CEILING, MIN_RATE)
            self.rate = max(self.rate * _FALL, MIN_RATE)
        elif self.rate < self._ceiling:
            self.rate = min(self.rate * _RISE, self._ceiling)
        else:
            self.rate = self._ceiling = min(self._ceiling * _SLOW_RISE, MAX_RATE)

    def _suffer(self, last: ViewerState, state: ViewerState) -> bool:
        """Return whether viewers get less than in the interval before.

        What they still lose after some time at the lowest rate has another reason than downloads.
        """
        skips = state.skipped - last.skipped
        loss = (state.retransmitted - last.retransmitted) / max(state.packets - last.packets, 1)
        self._slowest = self._slowest + 1 if self.rate <= MIN_RATE else 0
        if self._slowest >= _PATIENCE:
            self._usual_skips, self._usual_loss = skips * _TOLERANCE, max(loss * _TOLERANCE, _LOSS)
        is_lower = state.bitrate < last.bitrate or state.small > last.small
        return skips > self._usual_skips or loss > self._usual_loss or is_lower


class DownloadPacer:
    """Shares the rate among the downloads in progress."""

    def __init__(
        self,
        state: Callable[[], ViewerState],
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.now = now
        self.sleep = sleep
        self._state = state
        self._downloads = 0
        self._rate: DownloadRate | None = None
        self._updated = 0.0

    @contextlib.contextmanager
    def download(self) -> Iterator[Download]:
        """Count a download inside the block."""
        self._downloads += 1
        try:
            yield Download(self)
        finally:
            self._downloads -= 1
            if not self._downloads:
                self._rate = None

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        return _SMALL_BLOCK if self._rate is not None and self._rate.is_shared else _BLOCK

    def rate(self, now: float) -> float:
        """Return the rate of one download in bytes per second."""
        if self._rate is None:
            self._rate, self._updated = DownloadRate(self._state()), now
        elif now - self._updated >= INTERVAL:
            self._updated = now
            self._rate.update(self._state())
        return self._rate.rate / (self._downloads if self._rate.is_shared else 1)


class Download:
    """One download."""

    def __init__(self, pacer: DownloadPacer) -> None:
        self._pacer = pacer
        self._due = pacer.now()

    @property
    def block(self) -> int:
        """How many bytes to send at once."""
        return self._pacer.block

    async def sent(self, size: int) -> None:
        """Wait until the next bytes may be sent, after so many."""
        now = self._pacer.now()
        self._due = max(self._due, now - _MAX_DEBT) + size / self._pacer.rate(now)
        await self._pacer.sleep(max(0.0, self._due - now))
