"""The recorder: a subscriber of the hub that hands chunks of the stream to the disk's thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from broadcaster.errors import RecordError
from broadcaster.media.mp4 import Tracks, tracks_of
from broadcaster.model.recording import RecorderState, RecorderStats, SavedClip
from broadcaster.model.stream import AccessUnit, AudioState, OpusFrame, StreamState, StreamStatus
from broadcaster.outputs.recording.chunks import ChunkCollector
from broadcaster.outputs.recording.ring import Ring
from broadcaster.outputs.recording.segmenter import Segmenter
from broadcaster.outputs.subscription import LastingSubscription
from broadcaster.ports import Clock, StreamControl
from broadcaster.ports.recording import Chunk, RecordingStore, Segment
from broadcaster.settings import RecordSettings
from broadcaster.stream.hub import Hub

log = logging.getLogger(__name__)


class Recorder:
    """Records while the stream is live, or on demand (`ports.recording.RecorderControl`, `hub.Subscriber`).

    In the mode `demand` a recording begins up to `record.before` seconds before it was requested, and ends when the
    stream goes offline.
    """

    def __init__(
        self, hub: Hub, stream: StreamControl, store: RecordingStore, clock: Clock, settings: RecordSettings
    ) -> None:
        self._stream = stream
        self._store = store
        self._clock = clock
        self._settings = settings
        self._is_on = settings.mode == "live"
        self._collector = ChunkCollector()
        self._ring = Ring(max(settings.before if settings.mode == "demand" else 0, settings.clip))
        self._segmenter = Segmenter(settings.segment)
        self._tracks: Tracks | None = None
        self._is_warned = False
        self._recorded_until = float("-inf")
        self._gap_since: float | None = None
        self._gaps = 0
        self._lost = 0.0
        self._clip: asyncio.Task[SavedClip] | None = None
        self._subscription = LastingSubscription(hub, stream, "recorder", self, self._stream_changed)

    async def start(self) -> None:
        """Start the disk's thread, and follow the stream."""
        self._store.start()
        self._subscription.start()

    async def close(self) -> None:
        """End the file and wait until it is on the disk, for a few seconds at most; idempotent."""
        self._subscription.close()
        self._flush()
        await self._store.close()
        if self._clip is not None:
            self._clip.cancel()

    def set_recording(self, on: bool) -> None:
        """Start or stop recording."""
        if on is self._is_on:
            return
        self._is_on = on
        if on:
            self._begin_before()
        else:
            self._collect(self._collector.so_far())
            self._recorded_until = self._clock.monotonic()
            self._end()
            self._gap_is_over(self._recorded_until)

    async def clip(self) -> SavedClip:
        """Keep the last `record.clip` seconds, and wait until they are on the disk. Raises `RecordError`.

        Requests that come while a clip is being written share its result.
        """
        if self._clip is None or self._clip.done():
            self._clip = asyncio.create_task(self._save_clip(), name="clip")
            self._clip.add_done_callback(_retrieve)
        return await asyncio.shield(self._clip)

    async def mark(self) -> float:
        """Mark this moment; return it in Unix seconds. Raises `RecordError` if nothing is being recorded."""
        if self._state is not RecorderState.RECORDING:
            raise RecordError("nothing is being recorded")
        return await self._store.mark(self._clock.monotonic())

    def stats(self) -> RecorderStats:
        """Return the status."""
        return RecorderStats(
            self._settings.mode, self._state, round(self._ring.duration, 1), self._gaps, round(self._lost, 1),
            self._store.stats(),
        )  # fmt: skip

    def source_changed(self) -> None:
        """End the file (`hub.Subscriber`)."""
        self._is_warned = False
        self._flush()

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Take the next picture (`hub.Subscriber`)."""
        if unit.keyframe:
            self._tracks = self._tracks_of(unit)
        self._take(self._collector.picture(unit, self._tracks))
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Take the next Opus frame (`hub.Subscriber`)."""
        self._take(self._collector.audio(frame))

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment (`hub.Subscriber`)."""
        self._collector = ChunkCollector()
        self._end()
        self._subscription.renew()

    @property
    def _state(self) -> RecorderState:
        if not self._is_on:
            return RecorderState.OFF
        if self._store.problem or self._gap_since is not None:
            return RecorderState.FAILED
        return RecorderState.WAITING if self._segmenter.segment is None else RecorderState.RECORDING

    def _stream_changed(self, status: StreamStatus) -> None:
        if status.state is not StreamState.LIVE:
            self._flush()
        if status.state is StreamState.OFFLINE and self._settings.mode == "demand" and self._is_on:
            self._is_on = False
            log.info("recording stopped: the stream is offline")

    def _flush(self) -> None:
        """Write everything, and end the file, because the source ends."""
        for chunk in self._collector.flush():
            self._take(chunk)
        self._end()
        self._gap_is_over(self._clock.monotonic())

    def _tracks_of(self, keyframe: AccessUnit) -> Tracks | None:
        try:
            return tracks_of(keyframe.data, audio=False)
        except ValueError as error:
            if not self._is_warned:
                log.warning("the video cannot be recorded: %s", error)
            self._is_warned = True
            return None

    def _take(self, chunk: Chunk | None) -> None:
        """Keep a complete chunk in memory, and record it if recording is on."""
        if chunk is not None:
            self._ring.add(chunk)
            if self._is_on:
                self._collect([chunk])

    def _collect(self, chunks: Sequence[Chunk], *, live: bool = True) -> None:
        """Record chunks that were not recorded yet."""
        for chunk in chunks:
            if chunk.start >= self._recorded_until:
                self._record(chunk, live=live)
                self._recorded_until = chunk.end

    def _begin_before(self) -> None:
        """Record what is in memory on demand; a recording that was stopped while live goes on from now."""
        if self._settings.mode == "live":
            self._recorded_until = self._clock.monotonic()
        else:
            self._collect(self._ring.since(self._clock.monotonic() - self._settings.before), live=False)
            if self._stream.status.state is not StreamState.LIVE:
                self._end()

    def _record(self, chunk: Chunk, *, live: bool) -> None:
        """Hand a chunk to the disk; a file that the disk does not take ends, and another one begins later."""
        now = self._clock.monotonic()
        if self._segmenter.segment is None and not self._store.may_begin(now):
            self._lose(chunk)
            return
        placement = self._segmenter.place(chunk, audio=self._has_audio)
        if placement.ended is not None:
            self._store.end(placement.ended)
        segment = placement.segment
        if segment is None:
            return
        if placement.is_new:
            self._store.begin(segment)
        if not self._store.write(segment, chunk, live=live):
            self._end()
            self._lose(chunk)
        elif not self._store.problem:
            self._gap_is_over(segment.started)

    def _end(self) -> None:
        segment = self._segmenter.end()
        if segment is not None:
            self._store.end(segment)

    def _lose(self, chunk: Chunk) -> None:
        self._lost += chunk.end - chunk.start
        if self._gap_since is not None:
            return
        self._gap_since = chunk.start
        self._gaps += 1
        if not self._store.problem:  # which is in the log already
            log.warning("recording interrupted: the disk is too slow")

    def _gap_is_over(self, captured: float) -> None:
        """Note the gap in the index, if there was one."""
        if self._gap_since is not None:
            log.info("recording: nothing was recorded for %.0f s", captured - self._gap_since)
            self._store.note_gap(self._gap_since, captured)
            self._gap_since = None

    @property
    def _has_audio(self) -> bool:
        return self._stream.status.sound is not AudioState.NONE

    async def _save_clip(self) -> SavedClip:
        if not self._settings.clip:
            raise RecordError("record.clip is 0")
        since = self._clock.monotonic() - self._settings.clip
        chunks = [*self._ring.since(since), *self._collector.so_far()]
        segments = self._write_clip(chunks)
        if not segments:
            raise RecordError(f"there is nothing to keep: not live in the last {self._settings.clip:g} s")
        clip = await self._store.saved(segments)
        log.info("clip saved, %.0f s: %s", clip.duration, ", ".join(clip.files))
        return clip

    def _write_clip(self, chunks: Sequence[Chunk]) -> list[Segment]:
        """Hand the files of a clip to the disk, and return them: one for each source."""
        segmenter, segments = Segmenter(kept=True), []
        for chunk in chunks:
            placement = segmenter.place(chunk, audio=self._has_audio)
            if placement.ended is not None:
                self._store.end(placement.ended)
            if placement.segment is None:
                continue
            if placement.is_new:
                self._store.begin(placement.segment)
                segments.append(placement.segment)
            self._store.write(placement.segment, chunk, live=False)
        last = segmenter.end()
        if last is not None:
            self._store.end(last)
        return segments


def _retrieve(clip: asyncio.Task[SavedClip]) -> None:
    """Mark an error as seen, also if those who asked for the clip are gone."""
    if not clip.cancelled():
        clip.exception()
