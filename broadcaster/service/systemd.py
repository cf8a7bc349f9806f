"""The daemon as a service: tells systemd that it is ready, how it fares, and that it is alive (sd_notify(3))."""

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
"""Seconds between two looks at the stream, so that the status changes at most once a second."""


class Service:
    """Reports to the service manager behind `socket`; without one, all of this does nothing.

    `watchdog` is the number of seconds after which systemd kills a daemon that it has not heard of, None where
    nobody watches. It is fed at half that time, and only while the stream makes progress: so the event loop
    turns, because this runs on it, and what the state promises does happen.
    """

    def __init__(
        self,
        socket: NotifySocket,
        watchdog: float | None,
        live: StreamControl,
        viewers: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._socket = socket
        self._interval = None if watchdog is None else watchdog / 2
        self._live = live
        self._viewers = viewers
        self._clock = clock
        self._progress = ProgressMonitor(clock.monotonic())
        self._feed_at = clock.monotonic()
        self._ready = False
        self._told = ""
        self._stuck = False

    async def run(self) -> None:
        """Report that viewers can come, then keep reporting until cancelled."""
        if not self._socket:
            await asyncio.Event().wait()
        period = TICK if self._interval is None else min(TICK, self._interval / 2)
        while True:
            self.report()
            await asyncio.sleep(period)

    def report(self) -> None:
        """Send what is new, in one datagram; what did not arrive is sent again next time."""
        now = self._clock.monotonic()
        status = self._status()
        ready = [] if self._ready else ["READY=1"]
        changed = [] if status == self._told else [f"STATUS={status}"]
        food = ["WATCHDOG=1"] if self._makes_progress(now) and self._is_hungry(now) else []
        news = [*ready, *changed, *food]
        if not news or not self._socket.send(*news):
            return
        self._ready = True
        self._told = status
        if food and self._interval is not None:
            self._feed_at = now + self._interval

    def stopping(self) -> None:
        """Report that the daemon goes down on purpose."""
        self._socket.send("STOPPING=1", "STATUS=going down")

    def _is_hungry(self, now: float) -> bool:
        return self._interval is not None and now >= self._feed_at

    def _makes_progress(self, now: float) -> bool:
        """Whether it does; said once when it does not, because the next lines are systemd's."""
        figures = self._live.report()
        stuck = self._progress.stuck(Snapshot(self._live.status.state, figures.pictures, figures.openings), now)
        if stuck and not self._stuck:
            end = "" if self._interval is None else ": systemd's watchdog ends this daemon and starts another"
            log.error("the stream is stuck (%s)%s", stuck, end)
        self._stuck = stuck is not None
        return not stuck

    def _status(self) -> str:
        status = self._live.status
        because = f" ({status.reason})" if status.reason else ""
        sound = ", sound lost" if status.sound is AudioState.LOST else ""
        count = self._viewers()
        return f"{status.state}{because}, {count} viewer{'' if count == 1 else 's'}{sound}"
