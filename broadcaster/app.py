"""The composition root: builds the components from the settings, starts them, and closes them in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broadcaster import __version__
from broadcaster.applied_settings import AppliedSettings, Apply, set_log_level
from broadcaster.capacity import rendition_stats
from broadcaster.components import Background, Component, component, running
from broadcaster.delivery.fanout import Fanout
from broadcaster.devices.arrivals import watch_arrivals
from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.panel import make_panel
from broadcaster.media.rtp import Packetizer
from broadcaster.model.stats import Capacity, StreamReport
from broadcaster.model.stream import AudioState, Quality
from broadcaster.optional_outputs import make_recordings, make_stills
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import AudioSource, Clock, PeerFactory, VideoSource
from broadcaster.service.check_process import CheckProcess
from broadcaster.service.garbage import GarbageCollection
from broadcaster.service.machine_stats import MachineStats
from broadcaster.service.notify import NotifySocket, watchdog_interval
from broadcaster.service.panel import PanelControl
from broadcaster.service.power import PowerSwitch
from broadcaster.service.signals import signals
from broadcaster.service.systemd import ServiceNotifier
from broadcaster.service.uncaught import uncaught_errors
from broadcaster.settings import AudioSettings, PushTarget, Settings, VideoSettings, WebSettings
from broadcaster.storage.secrets import StateSecrets, state_secrets
from broadcaster.storage.settings_source import SettingsSource
from broadcaster.storage.state_file import StateFile, state_folder
from broadcaster.stream.bitrate import SMALL_MIN_FRACTION, BitrateControl
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.controller import StreamController
from broadcaster.stream.hub import Hub
from broadcaster.stream.load import LoadShedder, LoopLag
from broadcaster.web.server import WebServer
from broadcaster.webrtc.factory import AiortcPeerFactory, make_streams

if TYPE_CHECKING:
    from broadcaster.web.push.targets import PushTargets

log = logging.getLogger(__name__)

STREAM_DEADLINE = 15.0
"""Deadline in seconds for the stream to close its sources; every device has a shorter deadline of its own."""

Announce = Callable[[int, StreamReport, Callable[[], str]], None]
Sources = tuple[VideoSource, AudioSource | None]
MakeSources = Callable[[VideoSettings, AudioSettings, Clock], Sources]

_STATION = ("station.title", "station.line", "station.message", "station.next")
_RETENTION = ("record.keep_days", "record.keep_bytes", "record.keep_free")


async def serve(
    settings: Settings,
    *,
    live: bool,
    announce: Announce,
    make_sources: MakeSources = make_sources,
    source: SettingsSource | None = None,
    reload_on_hangup: bool = False,
) -> None:
    """Run the daemon until a signal stops it.

    With `live` it goes live at once; this overrides `stream.start`. `announce` is called once, with port, report and a
    function that makes a code for the owner, when viewers can connect. `source` is where the settings were read from:
    the owner's page changes them there, and with `reload_on_hangup`, SIGHUP reads them again, instead of stopping the
    daemon. Raises `BroadcasterError` on a fault that the owner can fix; any other
    exception is a bug, and makes the daemon exit.
    """
    clock = SystemClock()
    sources = make_sources(settings.video, settings.audio, clock)
    daemon = Daemon(settings, sources, clock, source)
    await daemon.run(live=live, announce=announce, reload_on_hangup=reload_on_hangup)


class Daemon:
    """The daemon: builds each component once, and passes it to those that need it."""

    def __init__(
        self, settings: Settings, sources: Sources, clock: Clock, source: SettingsSource | None = None
    ) -> None:
        video, audio = sources
        self._settings = settings
        self._clock = clock
        folder = state_folder(settings.stream.state_dir)
        self._start = settings.stream.start
        self._desired_state = StateFile(folder)
        self._bugs = BugLog()
        hub = self._hub = Hub(clock, self._bugs, settings.video.bitrate, settings.video.second_bitrate)
        packetizer = Packetizer(*make_streams())
        self._video = video
        self._fanout = Fanout(hub, packetizer, clock, lambda: self._server.viewers)
        self._stream = StreamController(
            video, audio, hub, clock, bugs=self._bugs, on_desired_state=self._desired_state.save
        )
        self._bitrates = {quality: self._make_bitrate_control(settings.video, quality) for quality in Quality}
        self._lag = LoopLag()
        self.peers = self.make_peers(settings, packetizer, clock, with_audio=audio is not None)
        self._media = MuxedStream(hub, clock, self._has_audio) if settings.web.media else None
        self._server = self._make_server(settings.web, state_secrets(folder))
        self._recordings = make_recordings(settings, folder, hub, self._stream, clock, self._server)
        self._stills = make_stills(settings, hub, self._stream, clock, self._server)
        self._shedding = LoadShedder(
            self._lag,
            self._fanout.take_longest_delay,
            self.peers.traffic,
            self._bitrates[Quality.FULL],
            self._server.refuse_new_viewers,
        )
        self._garbage = GarbageCollection()
        self._power = PowerSwitch()
        self._panel = self._make_panel(settings, clock, StateFile(folder, "sound"))
        self._push: PushTargets | None = None
        self._server.add_report("push", lambda: [] if self._push is None else self._push.stats())
        self._applied = None if source is None else AppliedSettings(source, self._actions())
        self._add_owner_parts(folder, StateFile(folder, "sound"), source)
        notify, watchdog = NotifySocket(os.environ.get("NOTIFY_SOCKET", "")), watchdog_interval(os.environ)
        self._notifier = ServiceNotifier(notify, watchdog, self._stream, lambda: self._server.viewers, clock)

    def _add_owner_parts(self, folder: Path, muted: StateFile, source: SettingsSource | None) -> None:
        """Let the owner's page show and control what the web server does not build; a muted microphone stays muted."""
        parts = self._server.owner_parts
        parts.push = lambda: self._push
        parts.settings = self._applied
        parts.check = None if source is None else CheckProcess(source.options)
        parts.has_lamp = lambda: (
            self._panel is not None and self._panel.is_open and self._settings.panel.lamp is not None
        )
        parts.machine = MachineStats(self._clock, folder)
        parts.save_muted = muted.save
        if muted.load():
            self._stream.mute(True)

    def _actions(self) -> list[tuple[tuple[str, ...], Apply]]:
        """Return the settings that can be applied while the daemon runs, and how."""
        return [
            (("log.level",), set_log_level),
            (("web.hosts", "web.origins"), lambda settings: self._server.reload(settings.web)),
            (("web.max_viewers",), lambda settings: self._server.set_limit(settings.web.max_viewers)),
            (_STATION, lambda settings: self._server.set_station(settings.station)),
            (("video.bitrate", "video.bitrate_min"), self._set_bitrates),
            (_RETENTION, lambda settings: self._recordings.set_retention(settings.record)),
            (("push",), lambda settings: self._apply_push(settings.push)),
        ]

    def _set_bitrates(self, settings: Settings) -> bool:
        return self._bitrates[Quality.FULL].set_limits(settings.video.bitrate_min, settings.video.bitrate)

    async def run(self, *, live: bool, announce: Announce, reload_on_hangup: bool = False) -> None:
        """Start the components, run until a signal or a bug, and close them in reverse."""
        stopping = asyncio.Event()
        backgrounds = [
            Background("stream", self._stream.run, STREAM_DEADLINE),
            Background("device arrivals", lambda: watch_arrivals(self._stream.retry_now)),
            Background("service", self._notifier.run),
        ]
        hang_up = self._applied.reload if self._applied is not None and reload_on_hangup else stopping.set
        with signals(self._toggle_by_signal, stopping.set, hang_up), uncaught_errors(self._bugs):
            async with running(self._components(*(background.component for background in backgrounds))):
                announce(self._server.port, self._stream.report(), self._server.issue_owner_code)
                self._go_live_or_wait(live)
                await _wait(stopping, *(background.task for background in backgrounds))
                log.info("shutting down")

    def _components(self, stream: Component, arrivals: Component, service: Component) -> list[Component]:
        """Return all components in the order in which they start."""
        panel = self._panel
        return [
            component("loop lag", self._lag.start, self._lag.close),
            component("load shedding", self._shedding.start, self._shedding.close),
            *(
                component("bit rate", partial(self._stream.watch, control.stream_changed), control.close)
                for control in self._bitrates.values()
            ),
            component("RTP fan-out", self._fanout.open, self._fanout.close),
            Component("power", close=self._power.close),
            *([] if panel is None else [component("panel", panel.open, panel.close)]),
            stream,
            arrivals,
            *self._recordings.components,
            *self._stills,
            Component("web server", self._server.start, self._server.close),
            Component("push targets", self._start_push, self._close_push),
            service,
            component("garbage collection", self._start_garbage_collection, self._garbage.close),
            component("service manager", close=self._notifier.stopping),
        ]

    def _start_garbage_collection(self) -> None:
        self._garbage.start()
        self._stream.watch(self._garbage.stream_changed)
        self._server.watch_viewers(self._garbage.viewers_changed)

    async def _start_push(self) -> None:
        self._apply_push(self._settings.push)

    def _apply_push(self, targets: tuple[PushTarget, ...]) -> bool:
        """Send the stream to these media servers; nothing of it is loaded before there is one."""
        if self._push is None and targets:
            from broadcaster.web.push.targets import PushTargets  # noqa: PLC0415

            folder = state_folder(self._settings.stream.state_dir)
            self._push = PushTargets(self.peers, self._stream, self._clock, folder)
        if self._push is not None:
            self._push.apply(targets)
        return True

    async def _close_push(self) -> None:
        if self._push is not None:
            await self._push.close()

    def make_peers(self, settings: Settings, packetizer: Packetizer, clock: Clock, *, with_audio: bool) -> PeerFactory:
        """Return the factory of peer connections; a benchmark overrides this."""
        return AiortcPeerFactory(self._fanout, packetizer, clock, with_audio=with_audio, ice=settings.ice)

    def _make_server(self, web: WebSettings, secrets: StateSecrets) -> WebServer:
        media, version = self._media, __version__
        server = WebServer(
            web, self.peers, self._stream, self._clock, version, self._capacity, secrets=secrets, media=media
        )
        server.set_station(self._settings.station)
        if media is not None:
            server.add_report("media", media.totals)
        return server

    def _make_bitrate_control(self, video: VideoSettings, quality: Quality) -> BitrateControl:
        highest, small = (video.bitrate, video.second_bitrate) if quality is Quality.FULL else (video.second_bitrate, 0)
        lowest = video.bitrate_min if quality is Quality.FULL else round(video.second_bitrate * SMALL_MIN_FRACTION)
        estimates = partial(self._bandwidth_estimates, quality)
        rendition, proven = self._fanout.feed(quality).rendition, partial(self._fanout.is_proven, quality)
        return BitrateControl(estimates, rendition, self._video, lowest, highest, small=small, proven=proven)

    def _bandwidth_estimates(self, quality: Quality) -> list[int]:
        """Return the estimates that decide about a bit rate; over the web, viewers of the full one are slow or none."""
        estimates = self._fanout.bandwidth_estimates(quality)
        if self._media is None or (estimates and quality is Quality.FULL):
            return estimates
        return sorted([*estimates, *self._media.bandwidth_estimates(quality)])

    def _make_panel(self, settings: Settings, clock: Clock, muted: StateFile) -> PanelControl | None:
        panel = make_panel(settings.panel, clock)
        if panel is None:
            return None
        self._server.watch_viewers(panel.show_viewers)
        return PanelControl(
            panel, self._stream, settings.panel.hold_action, self._power.press, muted, self._recordings.recorder
        )

    def _go_live_or_wait(self, live: bool) -> None:
        if live or self._start == "live" or (self._start == "last" and self._desired_state.load()):
            self._stream.set_live(True)
        else:
            button = "press the button, " if self._panel else ""
            log.info(
                'not live yet; to go live: %srun `broadcaster live on`, or POST {"live": true} to /api/live', button
            )

    def _toggle_by_signal(self) -> None:
        log.info("SIGUSR1: toggling live")
        self._stream.toggle()

    def _has_audio(self) -> bool:
        return self._stream.status.sound is AudioState.ON

    def _capacity(self) -> Capacity:
        return Capacity(
            bitrate=round(self._hub.full.meter.rate),
            bitrate_wanted=self._bitrates[Quality.FULL].rate,
            loop_lag_p99=round(self._lag.quantile(0.99) * 1000, 1),
            loop_lag_max=round(self._lag.quantile(1) * 1000, 1),
            overloaded=self._shedding.refuses,
            traffic=self.peers.traffic(),
            renditions=rendition_stats(self._video.traits, self._hub, self._fanout, self._media, self._bitrates),
        )


async def _wait(stopping: asyncio.Event, *tasks: asyncio.Future[Any]) -> None:
    """Wait until `stopping` is set or a task ends; raise its exception, so that systemd restarts the daemon."""
    stopped: asyncio.Future[Any] = asyncio.create_task(stopping.wait(), name="stop")
    try:
        await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    for task in tasks:
        if task.done():
            task.result()
