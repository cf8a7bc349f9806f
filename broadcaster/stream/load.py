"""Load shedding: measures how late loop and pictures are, and reduces the load when this machine cannot keep up.

First the bit rate is lowered, then new viewers are refused. Connected viewers are not disconnected.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from broadcaster.model.stats import Traffic
from broadcaster.stream.bitrate import BitrateControl

log = logging.getLogger(__name__)

LAG_INTERVAL = 0.1
"""Seconds between two measurements of the event loop's lag."""

_LAGS = 300
"""Measurements kept: half a minute."""

INTERVAL = 1.0
"""Seconds between two load samples."""

MAX_LAG = 0.1
"""Median lag of the event loop, in seconds, that counts as overload: three frames, which every viewer sees."""

MAX_DELAY = 0.9
"""Longest delay of a picture, in seconds, that counts as overload: from a second on, pictures are skipped. Pacing alone
takes up to 0.7 s, when a new viewer gets all pictures of the last two seconds."""

MAX_REFUSED = 0.1
"""Fraction of packets that the kernel refuses or delays (full socket) that counts as overload; a single viewer whose
network is gone does not reach it for long, because nothing is sent to a viewer that is silent."""

PATIENCE = 3
"""Consecutive samples that must show overload: the start of an encoder, or of a cron job, does not count."""

LATE_PATIENCE = 10
"""Consecutive samples with late pictures until new viewers are refused: hundreds who join at once make pictures late
for several seconds."""

RELIEF = 10
"""Consecutive samples without overload after which new viewers are accepted again."""


class LoopLag:
    """Measures how late a timer of the event loop fires, in seconds."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_LAGS)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start measuring."""
        loop = asyncio.get_running_loop()
        due = loop.time() + LAG_INTERVAL
        self._timer = loop.call_at(due, self._measure, due)

    def close(self) -> None:
        """Stop measuring; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def quantile(self, fraction: float) -> float:
        """Return the lag that this fraction (0 to 1) of the measurements did not exceed."""
        lags = sorted(self._lags)
        return lags[min(int(fraction * len(lags)), len(lags) - 1)] if lags else 0.0

    def recent(self, seconds: float) -> float:
        """Return the median lag of the last seconds."""
        lags = sorted(islice(reversed(self._lags), max(1, round(seconds / LAG_INTERVAL))))
        return lags[len(lags) // 2] if lags else 0.0

    def _measure(self, due: float) -> None:
        self._lags.append(max(0.0, asyncio.get_running_loop().time() - due))
        self.start()


@dataclass(frozen=True, slots=True)
class LoadSample:
    """Median lag of the event loop and longest delay of a picture, in seconds, fraction of packets refused, and whether
    the bit rate can be lowered."""

    lag: float
    delay: float
    refused: float
    can_fall: bool


class LoadRule:
    """Takes a sample each `INTERVAL`; `overloaded`: lower the bit rate; `refuses`: admit no new viewers."""

    def __init__(self) -> None:
        self.overloaded = False
        self.refuses = False
        self._bad = 0
        self._late = 0
        self._good = 0

    def step(self, sample: LoadSample) -> None:
        """Take one sample. New viewers are refused only when the bit rate cannot be lowered any further."""
        is_bad = sample.lag > MAX_LAG or sample.refused > MAX_REFUSED
        is_late = sample.delay > MAX_DELAY
        self._bad = self._bad + 1 if is_bad else 0
        self._late = self._late + 1 if is_bad or is_late else 0
        self._good = 0 if is_bad or is_late else self._good + 1
        self.overloaded = self._late >= PATIENCE
        if not sample.can_fall and (self._bad >= PATIENCE or self._late >= LATE_PATIENCE):
            self.refuses = True
        elif self._good >= RELIEF:
            self.refuses = False


class LoadShedder:
    """Samples the load each `INTERVAL`, lowers the bit rate, and has new viewers refused.

    `longest_delay` returns the longest delay of a picture, in seconds, since its last call, `traffic` what was sent
    in total; `refuse` is called with whether new viewers are refused.
    """

    def __init__(
        self,
        lag: LoopLag,
        longest_delay: Callable[[], float],
        traffic: Callable[[], Traffic],
        bitrate: BitrateControl,
        refuse: Callable[[bool], None],
    ) -> None:
        self._lag = lag
        self._longest_delay = longest_delay
        self._traffic = traffic
        self._bitrate = bitrate
        self._refuse = refuse
        self._rule = LoadRule()
        self._last = Traffic()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def refuses(self) -> bool:
        """Whether new viewers are refused now."""
        return self._rule.refuses

    def start(self) -> None:
        """Start sampling."""
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._sample)

    def close(self) -> None:
        """Stop sampling; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        self.start()
        refused_before = self._rule.refuses
        lag, delay = self._lag.recent(INTERVAL), self._longest_delay()
        self._rule.step(LoadSample(lag, delay, self._refused_packets(), self._bitrate.can_fall))
        self._bitrate.overloaded = self._rule.overloaded
        if self._rule.refuses is refused_before:
            return
        if self._rule.refuses:
            log.warning("overloaded even at the lowest bit rate; refusing new viewers")
        else:
            log.info("load is back to normal; accepting new viewers")
        self._refuse(self._rule.refuses)

    def _refused_packets(self) -> float:
        """Return the fraction of packets since the last sample that the kernel refused, for good or at first."""
        now, before = self._traffic(), self._last
        self._last = now
        refused = now.send_errors + now.packets_held - before.send_errors - before.packets_held
        return refused / max(1, now.packets - before.packets)
