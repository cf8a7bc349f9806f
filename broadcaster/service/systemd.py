"""Status reports to systemd: readiness, a status line and the watchdog (sd_notify(3))."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.model.stream import AudioState
from broadcaster.ports import Clock, StreamControl
from broadcaster.service.notify import NotifySocket
from broadcaster.service.progress import ProgressMonitor, Snapshot

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between reports: the status line changes at most once per second."""


class ServiceNotifier:
    """Reports to the service manager at `socket`; does nothing without one.

    `watchdog` is the watchdog timeout in seconds, None without a watchdog. A keep-alive is sent every half timeout, as
    long as the stream makes progress. Since it is sent from the event loop, it also shows that the loop is running.
    """

    def __init__(
        self,
        socket: NotifySocket,
        watchdog: float | None,
        stream: StreamControl,
        viewers: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._socket = socket
        self._interval = None if watchdog is None else watchdog / 2
        self._stream = stream
        self._viewers = viewers
        self._clock = clock
        self._progress = ProgressMonitor(clock.monotonic())
        self._keep_alive_at = clock.monotonic()
        self._ready = False
        self._last_status = ""
        self._stuck = False

    async def run(self) -> None:
        """Report that the daemon is ready, then keep reporting until cancelled."""
        if not self._socket:
            await asyncio.Event().wait()
        period = TICK if self._interval is None else min(TICK, self._interval / 2)
        while True:
            self.report()
            await asyncio.sleep(period)

    def report(self) -> None:
        """Send all changes in one datagram; if that fails, the next call sends them again."""
        now = self._clock.monotonic()
        status = self._status()
        ready = [] if self._ready else ["READY=1"]
        changed = [] if status == self._last_status else [f"STATUS={status}"]
        keep_alive = ["WATCHDOG=1"] if self._makes_progress(now) and self._is_keep_alive_due(now) else []
        assignments = [*ready, *changed, *keep_alive]
        if not assignments or not self._socket.send(*assignments):
            return
        self._ready = True
        self._last_status = status
        if keep_alive and self._interval is not None:
            self._keep_alive_at = now + self._interval

    def stopping(self) -> None:
        """Report that the daemon is shutting down."""
        self._socket.send("STOPPING=1", "STATUS=shutting down")

    def _is_keep_alive_due(self, now: float) -> bool:
        return self._interval is not None and now >= self._keep_alive_at

    def _makes_progress(self, now: float) -> bool:
        """Return whether the stream makes progress; log once when it stops doing so, before systemd acts."""
        report = self._stream.report()
        stuck = self._progress.stuck(Snapshot(self._stream.status.state, report.pictures, report.openings), now)
        if stuck and not self._stuck:
            consequence = "" if self._interval is None else "; systemd's watchdog will restart the daemon"
            log.error("stream is stuck: %s%s", stuck, consequence)
        self._stuck = stuck is not None
        return not stuck

    def _status(self) -> str:
        status = self._stream.status
        reason = f" ({status.reason})" if status.reason else ""
        audio = ", audio lost" if status.sound is AudioState.LOST else ""
        count = self._viewers()
        return f"{status.state}{reason}, {count} viewer{'' if count == 1 else 's'}{audio}"
