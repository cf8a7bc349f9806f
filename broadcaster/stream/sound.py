"""Keeps the sound going beside the picture: a lost microphone never stops the video."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from broadcaster.errors import SourceError
from broadcaster.media.units import OpusFrame
from broadcaster.ports import AudioSource
from broadcaster.signaling.words import Sound
from broadcaster.stream.backoff import retry_delay

log = logging.getLogger(__name__)


class SoundKeeper:
    """Opens an audio source, and opens it anew with back-off whenever it fails, until closed.

    `source` is None when there is to be no sound; `publish` takes the frames, `changed` is called when `state`
    changes.
    """

    def __init__(
        self,
        source: AudioSource | None,
        publish: Callable[[OpusFrame], None],
        changed: Callable[[], None],
    ) -> None:
        self.muted = False
        self._state = Sound.NONE if source is None else Sound.ON
        self._source = source
        self._publish = publish
        self._changed = changed
        self._failures = 0
        self._failure: asyncio.Future[SourceError] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> Sound:
        """What viewers are told; muted is no sound on purpose."""
        return Sound.NONE if self.muted else self._state

    def mute(self, muted: bool) -> None:
        """Keep the sound back, or no more; it stays so when the source is closed and opened anew."""
        if self._source is not None and muted is not self.muted:
            self.muted = muted
            self._changed()

    def open(self) -> None:
        """Start; what goes wrong from here on is logged, shown as `lost`, and tried again."""
        if self._source is not None and self._task is None:
            self._failures = 0
            self._task = asyncio.create_task(self._keep(self._source), name="sound")

    async def close(self) -> None:
        """End it; the source is closed when this returns. Idempotent."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self._set(Sound.ON)

    def frame(self, frame: OpusFrame) -> None:
        """The source's frames come in here (`ports.AudioSink`)."""
        self._failures = 0
        self._set(Sound.ON)
        if not self.muted:
            self._publish(frame)

    def failed(self, error: SourceError) -> None:
        """The source gave up (`ports.AudioSink`)."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)

    async def _keep(self, source: AudioSource) -> None:
        while True:
            error = await self._run_once(source)
            self._failures += 1
            delay = retry_delay(self._failures)
            log.warning("no sound: %s; trying again in %.0f s", error.detail, delay)
            self._set(Sound.LOST)
            await asyncio.sleep(delay)

    async def _run_once(self, source: AudioSource) -> SourceError:
        self._failure = asyncio.get_running_loop().create_future()
        try:
            await source.open(self)
            return await self._failure
        except SourceError as error:
            return error
        finally:
            await source.close()

    def _set(self, state: Sound) -> None:
        before, self._state = self.state, state
        if self.state is not before:
            self._changed()
