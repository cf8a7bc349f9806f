"""Audio supervision: a microphone that is lost is reopened, and never stops the video."""

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
"""Seconds for an audio source to open; most open at once and report errors to the sink."""
_FRAME = 0.02
"""Duration of an Opus frame in seconds."""
GRACE = 0.3
"""Seconds to wait before lost audio is reported: if the video fails for the same cause (a film on a stick that was
removed), only that is reported."""
QUIET_LIMIT = 3.0
"""Seconds without a frame after which an open source counts as lost; detected after at most twice that time."""


class AudioSupervisor:
    """Opens an audio source, and reopens it with back-off whenever it fails, until closed.

    `source` is None if the stream has no audio; `publish` takes the frames, `changed` is called when `state`
    changes. An open source that delivers no frames counts as lost for that time. No exception in the source escapes
    from this class: unexpected ones go to `bugs`.
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
        self._last_cause = ""
        self._failure: asyncio.Future[SourceError] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> AudioState:
        """The state as viewers see it: muted counts as having no audio source."""
        return AudioState.NONE if self.muted else self._state

    def mute(self, muted: bool) -> None:
        """Mute or unmute; this persists when the source is closed and reopened."""
        if self._source is not None and muted is not self.muted:
            self.muted = muted
            self._changed()

    def open(self) -> None:
        """Start; failures from now on are logged, shown as `lost`, and retried."""
        if self._source is not None and self._task is None:
            self._back_off.reset()
            self._frames = 0
            self._last_cause = ""
            self._task = asyncio.create_task(self._keep(self._source), name="audio")

    async def close(self) -> None:
        """Stop; the source is closed when this returns. Idempotent."""
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._state is AudioState.LOST:
            self._set(AudioState.ON)

    def frame(self, frame: OpusFrame) -> None:
        """Take a frame of the source (`ports.AudioSink`)."""
        self._frames += 1
        self._set(AudioState.ON)
        if not self.muted:
            self._publish(frame)

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source (`ports.AudioSink`)."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(error)

    async def _keep(self, source: AudioSource) -> None:
        while True:
            before = self._frames
            error = await self._run_once(source)
            worked = (self._frames - before) * _FRAME
            if worked >= STEADY:
                self._last_cause = ""
            if isinstance(error, SourceBug):
                self._bugs.add(error.where, error.bug)
            if worked:
                await asyncio.sleep(GRACE)
            # A device that was there and was removed counts as lost; a film that was replaced by a silent one does not.
            absent = isinstance(error, SourceAbsent) and (not self._frames or error.reason is StreamReason.FILE)
            self._log_cause(error, logging.INFO if absent else logging.WARNING)
            self._set(AudioState.NONE if absent else AudioState.LOST)
            self._back_off.failed(worked or None)
            await asyncio.sleep(self._back_off.delay)

    def _log_cause(self, error: SourceError, level: int) -> None:
        """Log each cause once, however often it is retried."""
        if error.detail != self._last_cause:
            log.log(level, "no audio: %s; retrying", error.detail)
        self._last_cause = error.detail

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
        """Wait for the source to fail; meanwhile notice if it delivers nothing."""
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
