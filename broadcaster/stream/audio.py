"""Keeps the sound going beside the picture: a lost microphone never stops the video."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.errors import SourceAbsent, SourceError
from broadcaster.model.access_units import OpusFrame
from broadcaster.model.stream import AudioState
from broadcaster.ports import AudioSource
from broadcaster.stream.backoff import retry_delay

log = logging.getLogger(__name__)

QUIET_LIMIT = 3.0
"""Seconds without a frame after which an open source counts as lost; noticed after twice that at most."""


class AudioSupervisor:
    """Opens an audio source, and opens it anew with back-off whenever it fails, until closed.

    `source` is None when there is to be no sound; `publish` takes the frames, `changed` is called when `state`
    changes. An open source that gives no frames counts as lost as long as that lasts.
    """

    def __init__(
        self,
        source: AudioSource | None,
        publish: Callable[[OpusFrame], None],
        changed: Callable[[], None],
    ) -> None:
        self.muted = False
        self._state = AudioState.NONE if source is None else AudioState.ON
        self._source = source
        self._publish = publish
        self._changed = changed
        self._failures = 0
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
            self._failures = self._frames = 0
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
        self._failures = 0
        self._frames += 1
        self._said = ""
        self._set(AudioState.ON)
        if not self.muted:
            self._publish(frame)

    def failed(self, error: SourceError) -> None:
        """The source gave up (`ports.AudioSink`)."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)

    async def _keep(self, source: AudioSource) -> None:
        while True:
            error = await self._run_once(source)
            # One that was there and has been taken away is a loss.
            absent = isinstance(error, SourceAbsent) and not self._frames
            self._tell(error, logging.INFO if absent else logging.WARNING)
            self._set(AudioState.NONE if absent else AudioState.LOST)
            self._failures += 1
            await asyncio.sleep(retry_delay(self._failures))

    def _tell(self, error: SourceError, level: int) -> None:
        """One line for each cause, however often it is tried again."""
        if error.detail != self._said:
            log.log(level, "no sound: %s; trying again until there is", error.detail)
        self._said = error.detail

    async def _run_once(self, source: AudioSource) -> SourceError:
        self._failure = asyncio.get_running_loop().create_future()
        try:
            await source.open(self)
            return await self._listen(self._failure)
        except SourceError as error:
            return error
        finally:
            await source.close()

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
