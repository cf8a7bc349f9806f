"""The composition root: builds all parts from the settings, starts them, waits, and closes them in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from broadcaster.delivery.fanout import Fanout
from broadcaster.devices.arrivals import watch_arrivals
from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.panel import make_panel
from broadcaster.errors import DeviceHung
from broadcaster.media.packetizer import Packetizer
from broadcaster.model.stats import Capacity, StreamReport
from broadcaster.ports import Clock
from broadcaster.service.notify import NotifySocket, watchdog_interval
from broadcaster.service.panel import PanelControl
from broadcaster.service.power import PowerSwitch
from broadcaster.service.signals import signals
from broadcaster.service.systemd import Service
from broadcaster.service.uncaught import uncaught_errors
from broadcaster.settings import PanelSettings, Settings
from broadcaster.storage.secrets import state_secrets
from broadcaster.storage.state_file import StateFile, state_folder
from broadcaster.stream.adaptation import Adaptation
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.controller import StreamController
from broadcaster.stream.lag import LoopLag
from broadcaster.stream.shedding import Shedding
from broadcaster.version import __version__
from broadcaster.web.server import WebServer
from broadcaster.webrtc.factory import AiortcPeers, make_streams

log = logging.getLogger(__name__)

Announce = Callable[[int, StreamReport], None]


async def serve(settings: Settings, *, live: bool, announce: Announce) -> None:
    """Run the daemon until a signal ends it.

    `live` means on air at once, whatever `stream.start` says. `announce` is called once with the port and the
    sources when viewers can come. Raises `BroadcasterError` on a fault that somebody can mend; anything else
    that comes out is a bug, and ends the daemon as loudly as it should.
    """
    await Daemon(settings).run(live=live, announce=announce)


class Daemon:
    """All parts of the daemon, each built once and handed to those that need it."""

    def __init__(self, settings: Settings) -> None:
        clock = SystemClock()
        self._start = settings.stream.start
        folder = state_folder(settings.stream.state_dir)
        self._desired_state = StateFile(folder)
        video, audio = make_sources(settings.video, settings.audio, clock)
        packetizer = Packetizer(*make_streams())
        self._fanout = Fanout(packetizer, clock)
        self._bugs = BugLog()
        self._stream = StreamController(
            video, audio, self._fanout, clock, bugs=self._bugs, on_desired_state=self._desired_state.save
        )
        self._adaptation = Adaptation(self._fanout, video, settings.video.bitrate_min, settings.video.bitrate)
        self._lag = LoopLag()
        self._peers = AiortcPeers(self._fanout, packetizer, clock, with_audio=audio is not None, ice=settings.ice)
        self._server = WebServer(
            settings.web,
            self._peers,
            self._stream,
            clock,
            __version__,
            self._capacity,
            secrets=state_secrets(folder),
        )
        self._shedding = Shedding(self._lag, self._peers.traffic, self._adaptation, self._server.refuse_newcomers)
        self._power = PowerSwitch()
        self._panel = self._make_panel(settings.panel, clock, StateFile(folder, "sound"))
        notify, watchdog = NotifySocket(os.environ.get("NOTIFY_SOCKET", "")), watchdog_interval(os.environ)
        self._service = Service(notify, watchdog, self._stream, lambda: self._server.viewers, clock)

    async def run(self, *, live: bool, announce: Announce) -> None:
        """Start the parts, wait for the end, and close them in reverse."""
        ending = asyncio.Event()
        async with AsyncExitStack() as parts:
            parts.enter_context(signals(self._press_by_signal, ending.set))
            parts.enter_context(uncaught_errors(self._bugs))
            self._lag.start()
            parts.callback(self._lag.close)
            self._shedding.start()
            parts.callback(self._shedding.close)
            parts.callback(self._adaptation.close)
            parts.callback(self._stream.watch(self._adaptation.stream_changed))
            parts.push_async_callback(self._power.close)
            if self._panel is not None:
                parts.callback(self._panel.close)
                self._panel.open()
            running = asyncio.create_task(self._stream.run(), name="stream")
            parts.push_async_callback(_finish, running)
            watching = asyncio.create_task(watch_arrivals(self._stream.look_again), name="arrivals")
            parts.push_async_callback(_finish, watching)
            await self._server.start()
            parts.push_async_callback(self._server.close)
            announce(self._server.port, self._stream.report())
            if live or self._starts_live():
                self._stream.set_live(True)
            else:
                press = "press the button, " if self._panel else ""
                log.info('not on air yet: %ssend SIGUSR1, or POST {"live": true} to /api/live', press)
            reporting = asyncio.create_task(self._service.run(), name="service")
            parts.push_async_callback(_finish, reporting)
            parts.callback(self._service.stopping)
            await _until(ending, running, watching, reporting)
            log.info("going down")

    def _make_panel(self, settings: PanelSettings, clock: Clock, muted: StateFile) -> PanelControl | None:
        panel = make_panel(settings, clock)
        if panel is None:
            return None
        self._server.watch_viewers(panel.show_viewers)
        return PanelControl(panel, self._stream, settings.hold_action, self._power.press, muted)

    def _press_by_signal(self) -> None:
        log.info("SIGUSR1 asks for the other state")
        self._stream.toggle()

    def _starts_live(self) -> bool:
        return self._start == "live" or (self._start == "last" and self._desired_state.load())

    def _capacity(self) -> Capacity:
        return Capacity(
            bitrate=round(self._fanout.meter.rate),
            bitrate_wanted=self._adaptation.rate,
            loop_lag_p99=round(self._lag.share(0.99) * 1000, 1),
            loop_lag_max=round(self._lag.share(1) * 1000, 1),
            overloaded=self._shedding.refuses,
            traffic=self._peers.traffic(),
        )


async def _until(ending: asyncio.Event, *vital: asyncio.Future[Any]) -> None:
    """Wait for the end; a vital part that dies of a bug takes the daemon with it, and systemd starts all anew."""
    waiting: asyncio.Future[Any] = asyncio.create_task(ending.wait(), name="end")
    try:
        await asyncio.wait({waiting, *vital}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for one in vital:
        if one.done():
            one.result()


async def _finish(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has cleaned up. Raises `DeviceHung` when it could not."""
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, DeviceHung):
        raise outcome
