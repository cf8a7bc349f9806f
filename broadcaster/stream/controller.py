"""The stream controller: feeds the state machine, opens and closes the sources, notifies listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broadcaster.errors import DeviceHung, SourceBug, SourceError, StreamReason
from broadcaster.model.stats import StreamReport
from broadcaster.model.stream import AccessUnit, StreamState, StreamStatus
from broadcaster.ports import AudioSource, Clock, VideoSource
from broadcaster.stream.audio import AudioSupervisor
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.hub import Hub
from broadcaster.stream.machine import STARTING_LIMIT, Action, Event, Phase, StreamMachine
from broadcaster.stream.small_rendition import SmallSink
from broadcaster.stream.stall_watch import STALL_LIMIT, StallWatch
from broadcaster.stream.stream_log import StreamLog

OPEN_LIMIT = 25.0
"""Seconds for a video source to open. Each source has a shorter limit of its own; the longest is the search for a
camera (8 s for CSI, 5 s for USB) followed by opening it (8 s)."""

_OPENING = (Phase.STARTING, Phase.RETRYING)

Listener = Callable[[StreamStatus], None]


class StreamController:
    """Controls the stream (`ports.StreamControl`, `ports.VideoSink`).

    `audio` is None if the stream has no audio. `on_desired_state` is called with whether to be live whenever that
    changes. Unexpected exceptions in a source go to `bugs` and make the stream `failed`; only `DeviceHung` escapes
    from this class. Nothing happens unless `run` is running.
    """

    def __init__(
        self,
        video: VideoSource,
        audio: AudioSource | None,
        hub: Hub,
        clock: Clock,
        *,
        bugs: BugLog,
        on_desired_state: Callable[[bool], None],
    ) -> None:
        self._desired = False
        self._on_desired_state = on_desired_state
        self._video = video
        self._audio_source = audio
        self._hub = hub
        self._clock = clock
        self._bugs = bugs
        self._audio = AudioSupervisor(audio, hub.publish_audio, self._announce, bugs)
        self._machine = StreamMachine(clock.monotonic())
        self._listeners: list[Listener] = []
        self._actions: asyncio.Queue[Action] = asyncio.Queue()
        self._small_sink = SmallSink(hub.small, hub.publish_video, clock)
        self._stall_watch = StallWatch(clock, self._wake)
        self._log = StreamLog()
        self._openings = 0
        self._had_small = False
        self._problem = ""
        self._closing = False

    @property
    def status(self) -> StreamStatus:
        """The state as viewers see it."""
        shown = self._machine.shown
        since = self._clock.unix() - (self._clock.monotonic() - shown.since)
        return StreamStatus(shown.state, round(since, 3), self._audio.state, shown.reason, self._had_small)

    def set_live(self, live: bool) -> None:
        """Set the desired state; ignored while the daemon is shutting down."""
        if self._closing:
            return
        if live is not self._desired:
            self._desired = live
            self._on_desired_state(live)
        self._step(Event.START if live else Event.STOP)

    def toggle(self) -> None:
        """Request the opposite of the desired state."""
        self.set_live(not self._desired)

    def retry_now(self) -> None:
        """Retry now, because a device was plugged in, and soon again if that fails.

        Firmware and udev may need some time before the device can be opened.
        """
        self._step(Event.ARRIVED)

    @property
    def muted(self) -> bool:
        """Whether the audio is muted."""
        return self._audio.muted

    def mute(self, muted: bool) -> None:
        """Mute or unmute the audio; does nothing without an audio source."""
        self._audio.mute(muted)

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` whenever `status` changes; return a function that removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def report(self) -> StreamReport:
        """Return statistics for the operator."""
        traits = self._video.traits
        return StreamReport(
            video_source=traits.source,
            encoder=traits.encoder,
            audio_source=self._audio_source.name if self._audio_source else "none",
            width=traits.width,
            height=traits.height,
            fps=traits.fps,
            pictures=self._hub.access_units,
            keyframes_forced=self._hub.full.gate.forced,
            openings=self._openings,
            internal_errors=self._bugs.count,
            opening=self._machine.phase in _OPENING,
            problem=self._problem if self.status.state is StreamState.FAILED else "",
        )

    async def run(self) -> None:
        """Open and close the sources as the state machine requests, one action at a time, until cancelled."""
        try:
            while True:
                action = await self._actions.get()
                if action is Action.OPEN:
                    await self._open()
                else:
                    await self._close_sources()
                    self._step(Event.CLOSED)
        finally:
            self._closing = True
            self._stall_watch.close()
            await self._close_sources()

    def picture(self, unit: AccessUnit) -> None:
        """Take an access unit of the video source (`ports.VideoSink`)."""
        self._stall_watch.picture()
        if unit.keyframe:
            self._watch_small()
        if unit.keyframe and self._machine.phase in _OPENING:
            self._step(Event.KEYFRAME)
        self._hub.publish_video(unit)

    def _watch_small(self) -> None:
        """Announce whether the small rendition is available, which a source knows only when it is open."""
        had_small, self._had_small = self._had_small, self._hub.small.is_available
        if self._had_small is not had_small and self._machine.phase is Phase.LIVE:
            self._notify(self.status)

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the video source (`ports.VideoSink`)."""
        if isinstance(error, SourceBug):
            self._bugs.add(error.where, error.bug)
        self._log_failure(error.detail)
        self._step(Event.FAILED, StreamReason(error.reason))

    async def _open(self) -> None:
        """Open the sources; audio follows video, and never delays it."""
        if self._machine.phase not in _OPENING:
            return
        self._openings += 1
        self._hub.attach(self._video)
        try:
            async with asyncio.timeout(OPEN_LIMIT):
                await self._video.open(self, self._small_sink)
        except SourceError as error:
            self.failed(error)
        except DeviceHung:
            raise
        except TimeoutError:
            self.failed(SourceError(self._video.traits.stall_reason, f"not opened within {OPEN_LIMIT:g} s"))
        except Exception as error:  # noqa: BLE001 - a SourceBug is logged and counted
            self.failed(SourceBug("opening the video source", error))
        else:
            self._audio.open()

    async def _close_sources(self) -> None:
        await asyncio.gather(self._audio.close(), self._close_video())

    async def _close_video(self) -> None:
        try:
            await self._video.close()
        except DeviceHung:
            raise
        except Exception as error:  # noqa: BLE001 - logged and counted
            self._bugs.add("closing the video source", error)

    def _step(self, event: Event, reason: StreamReason | None = None) -> None:
        self._after(lambda now: self._machine.step(event, now, reason))

    def _wake(self) -> None:
        """Handle a deadline that has passed, or that a picture has moved meanwhile."""
        now, reason = self._clock.monotonic(), self._video.traits.stall_reason
        if self._machine.phase is Phase.LIVE and now >= self._stall_watch.deadline:
            self.failed(SourceError(reason, f"no picture for {STALL_LIMIT:g} s"))
        else:
            if self._machine.phase in _OPENING and now >= (self._machine.next_deadline or now):
                self._log_failure(f"no keyframe within {STARTING_LIMIT:g} s of opening the source")
            self._after(lambda now: self._machine.tick(now, reason))

    def _log_failure(self, detail: str) -> None:
        self._problem = detail
        self._log.failure(detail, steady=self._machine.is_steady(self._clock.monotonic()))

    def _after(self, change: Callable[[float], Action | None]) -> None:
        """Step the state machine, and carry out the resulting action, announcement and deadline."""
        before = self._machine.shown
        action = change(self._clock.monotonic())
        if action is not None:
            self._actions.put_nowait(action)
        if self._machine.shown is not before:
            self._announce()
        self._arm()

    def _arm(self) -> None:
        """Wake at the machine's next deadline, or when the source may have stalled."""
        live = self._machine.phase is Phase.LIVE
        self._stall_watch.arm(self._stall_watch.deadline if live else self._machine.next_deadline)

    def _announce(self) -> None:
        status = self.status
        if not self._closing or status.state is not StreamState.LIVE:
            self._log.status(status)
        self._notify(status)

    def _notify(self, status: StreamStatus) -> None:
        for listener in tuple(self._listeners):
            listener(status)
