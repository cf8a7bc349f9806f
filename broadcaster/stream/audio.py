"""Keeps the sound going beside the picture: a lost microphone never stops the video."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.errors import BroadcasterError, SourceAbsent, SourceBug, SourceError, StreamReason
from broadcaster.model.stream import AudioState, OpusFrame
from broadcaster.ports import AudioSource
from broadcaster.stream.backoff import STEADY, BackOff
from broadcaster.stream.bug_log import BugLog

log = logging.getLogger(__name__)

OPEN_LIMIT = 10.0
"""Seconds for an audio source to open; most open at once and report on the sink."""
_FRAME = 0.02
"""Seconds of a frame."""
QUIET_LIMIT = 3.0
"""Seconds without a frame after which an open source counts as lost; noticed after twice that at most."""


class AudioSupervisor:
    """Opens an audio source, and opens it anew with back-off whenever it fails, until closed.

    `source` is None when there is to be no sound; `publish` takes the frames, `changed` is called when `state`
    changes. An open source that gives no frames counts as lost as long as that lasts. No exception in the source gets
    past this class: what is unexpected goes to `bugs`.
    """

    def __init__(
        self,
        source: AudioSource | None,
        publish: Callable[[OpusFrame], None],
        changed: Callable[[], None],
        bugs: BugLog,
    ) -> None:
        self.muted = False
        self._state = AudioState.NONE if source is None else AudioState.ON
        self._source = source
        self._publish = publish
        self._changed = changed
        self._bugs = bugs
        self._back_off = BackOff()
        self._frames = 0
        self._said = ""
        self._failure: asyncio.Future[SourceError] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> AudioState:
        """What viewers are told; muted is no sound on purpose."""
        return AudioState.NONE if self.muted else self._state

    def mute(self, muted: bool) -> None:
        """Keep the sound back, or no more; it stays so when the source is closed and opened anew."""
        if self._source is not None and muted is not self.muted:
            self.muted = muted
            self._changed()

    def open(self) -> None:
        """Start; what goes wrong from here on is logged, shown as `lost`, and tried again."""
        if self._source is not None and self._task is None:
            self._back_off.reset()
            self._frames = 0
            self._said = ""
            self._task = asyncio.create_task(self._keep(self._source), name="sound")

    async def close(self) -> None:
        """End it; the source is closed when this returns. Idempotent."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._state is AudioState.LOST:
            self._set(AudioState.ON)

    def frame(self, frame: OpusFrame) -> None:
        """The source's frames come in here (`ports.AudioSink`)."""
        self._frames += 1
        self._set(AudioState.ON)
        if not self.muted:
            self._publish(frame)

    def failed(self, error: SourceError) -> None:
        """The source gave up (`ports.AudioSink`)."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)

    async def _keep(self, source: AudioSource) -> None:
        while True:
            before = self._frames
            error = await self._run_once(source)
            worked = (self._frames - before) * _FRAME
            if worked >= STEADY:
                self._said = ""
            if isinstance(error, SourceBug):
                self._bugs.add(error.where, error.bug)
            # One that was there and has been taken away is a loss.
            absent = isinstance(error, SourceAbsent) and not self._frames
            self._tell(error, logging.INFO if absent else logging.WARNING)
            self._set(AudioState.NONE if absent else AudioState.LOST)
            self._back_off.failed(worked or None)
            await asyncio.sleep(self._back_off.delay)

    def _tell(self, error: SourceError, level: int) -> None:
        """One line for each cause, however often it is tried again."""
        if error.detail != self._said:
            log.log(level, "no sound: %s; trying again until there is", error.detail)
        self._said = error.detail

    async def _run_once(self, source: AudioSource) -> SourceError:
        self._failure = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(OPEN_LIMIT):
                await source.open(self)
            return await self._listen(self._failure)
        except SourceError as error:
            return error
        except TimeoutError:
            return SourceError(StreamReason.INTERNAL, f"the source has not opened within {OPEN_LIMIT:g} s")
        except Exception as error:  # noqa: BLE001 - returned as a SourceBug, which is logged and counted
            return SourceBug("opening the audio source", error)
        finally:
            await self._close_source(source)

    async def _close_source(self, source: AudioSource) -> None:
        try:
            await source.close()
        except BroadcasterError as error:
            log.error("audio: %s", error)
        except Exception as error:  # noqa: BLE001 - logged and counted
            self._bugs.add("closing the audio source", error)

    async def _listen(self, failure: asyncio.Future[SourceError]) -> SourceError:
        """Wait for the source to fail; meanwhile notice when it gives nothing."""
        while True:
            frames = self._frames
            await asyncio.wait({failure}, timeout=QUIET_LIMIT)
            if failure.done():
                return failure.result()
            if self._frames == frames:
                self._set(AudioState.LOST)

    def _set(self, state: AudioState) -> None:
        before, self._state = self.state, state
        if self.state is not before:
            self._changed()
