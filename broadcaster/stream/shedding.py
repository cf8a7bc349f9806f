"""Looks after the load while the daemon runs: has the bit rate lowered, and newcomers refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.model.stats import Traffic
from broadcaster.stream.adaptation import Adaptation
from broadcaster.stream.lag import LoopLag
from broadcaster.stream.load import INTERVAL, LoadLook, LoadRule

log = logging.getLogger(__name__)


class Shedding:
    """Looks once every `INTERVAL`; `traffic` is what was sent in all, `refuse` hears whether newcomers are refused."""

    def __init__(
        self,
        lag: LoopLag,
        traffic: Callable[[], Traffic],
        adaptation: Adaptation,
        refuse: Callable[[bool], None],
    ) -> None:
        self._lag = lag
        self._traffic = traffic
        self._adaptation = adaptation
        self._refuse = refuse
        self._rule = LoadRule()
        self._seen = Traffic()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def refuses(self) -> bool:
        """Whether newcomers are refused now."""
        return self._rule.refuses

    def start(self) -> None:
        """Begin to look."""
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def close(self) -> None:
        """Look no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self.start()
        refused = self._rule.refuses
        self._rule.step(LoadLook(self._lag.recent(INTERVAL), self._failing(), self._adaptation.can_ease))
        self._adaptation.overloaded = self._rule.overloaded
        if self._rule.refuses is not refused:
            self._tell()

    def _failing(self) -> float:
        """The share of packets since the last look that the kernel refused, for good or at first."""
        now, before = self._traffic(), self._seen
        self._seen = now
        refused = now.send_errors + now.packets_held - before.send_errors - before.packets_held
        return refused / max(1, now.packets - before.packets)

    def _tell(self) -> None:
        if self._rule.refuses:
            log.warning("this machine cannot keep up even at the lowest bit rate: newcomers are told that it is full")
        else:
            log.info("this machine keeps up again: newcomers are let in")
        self._refuse(self._rule.refuses)
