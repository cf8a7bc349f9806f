"""All push targets: follows the stream and the settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from broadcaster.model.push import PushState, PushStats
from broadcaster.model.stream import StreamStatus
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.settings import PushTarget
from broadcaster.storage.push_sessions import PushSessions, PushSwitches
from broadcaster.web.push.target import PushContext, PushRunner

log = logging.getLogger(__name__)

CLOSE_LIMIT = 1.0
"""Seconds for the servers to delete our sessions at shutdown; what remains is deleted at the next start."""


class PushTargets:
    """Runs the enabled targets; `folder` is the state folder."""

    def __init__(self, peers: PeerFactory, stream: StreamControl, clock: Clock, folder: Path) -> None:
        self._context = PushContext(peers, clock, PushSessions(folder), RateLimitedLogger(log, clock))
        self._stream = stream
        self._switched = PushSwitches(folder)
        self._targets: tuple[PushTarget, ...] = ()
        self._runners: dict[str, PushRunner] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._unwatch: Callable[[], None] | None = None

    def apply(self, targets: tuple[PushTarget, ...]) -> None:
        """Run these targets from now on, as far as the owner has not switched them off.

        Those that are unchanged and not refused stay as they are.
        """
        targets = tuple(replace(target, enabled=self._switched.get(target.name, target.enabled)) for target in targets)
        if self._unwatch is None:
            self._unwatch = self._stream.watch(self._stream_changed)
        self._targets = targets
        wanted = {target.name: target for target in targets if target.enabled}
        for name, runner in list(self._runners.items()):
            if runner.target != wanted.get(name) or runner.stats().state is PushState.REFUSED:
                self._end(self._runners.pop(name))
        for name, target in wanted.items():
            if name not in self._runners:
                log.info('push target "%s": %s', name, target.server)
                runner = self._runners[name] = PushRunner(target, self._context)
                runner.stream_changed(self._stream.status.state)

    def set_enabled(self, name: str, enabled: bool) -> bool:
        """Switch a target on or off, also for the next start; return whether there is such a target."""
        if not any(target.name == name for target in self._targets):
            return False
        self._switched.store(name, enabled)
        self.apply(self._targets)
        return True

    async def close(self) -> None:
        """Disconnect all targets, within little more than `CLOSE_LIMIT`; idempotent."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        for runner in self._runners.values():
            self._end(runner)
        self._runners.clear()
        await asyncio.gather(*self._ending)

    def stats(self) -> list[PushStats]:
        """Return statistics of all targets, in the order of the settings."""
        return list(self._stats())

    def _stats(self) -> Iterable[PushStats]:
        for target in self._targets:
            runner = self._runners.get(target.name)
            yield PushStats(target.name, target.server, PushState.DISABLED) if runner is None else runner.stats()

    def _end(self, runner: PushRunner) -> None:
        ending = asyncio.create_task(runner.close(CLOSE_LIMIT), name=f"push target {runner.target.name} ends")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _stream_changed(self, status: StreamStatus) -> None:
        for runner in self._runners.values():
            runner.stream_changed(status.state)
