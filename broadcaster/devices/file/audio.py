"""The audio source `file`: the audio of a media file in a loop, in sync with its video."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from broadcaster.devices.file.demuxer import AnyPacket
from broadcaster.devices.file.frame_assembler import STEREO_BYTES, FrameAssembler
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.timestamps import to_seconds
from broadcaster.devices.file.track_reader import TrackReader
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES, RATE, OpusEncoder
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import AudioSink, Clock

log = logging.getLogger(__name__)

READ_AHEAD = 0.5
"""Seconds that the file is read ahead, so that the end of the audio is known before the video ends."""
_ROUNDING = 0.005
"""Seconds by which frames may overlap or leave a gap, because some containers round to milliseconds."""
_POLL_INTERVAL = 0.02
"""Seconds between two checks whether the video has reached the end of the loop."""
_NO_LIMIT = 1 << 62
"""A position in samples, for an end that is not known yet."""

Item = TypeVar("Item")


class FileAudio:
    """`ports.AudioSource` of a file.

    Opus in 20 ms frames passes through; everything else is converted to 48 kHz stereo and encoded. Audio that is
    shorter than the video is followed by silence.
    """

    name = "file"

    def __init__(self, clock: Clock, file: MediaFile) -> None:
        self._clock = clock
        self._file = file
        self._thread: SourceThread[OpusFrame] | None = None
        file.with_audio = True

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`, but most errors are reported to `sink` later.

        A file without audio is not a fault (`SourceAbsent`).
        """
        self._thread = self._file.start_thread("file-audio", self._run, sink.frame, sink.failed)

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await self._file.close_thread(thread)

    def _run(self, thread: SourceThread[OpusFrame]) -> None:
        info = self._file.read_media_info()
        passthrough = _check_audio(self._file.path, info)
        with (
            closing(self._file.open_reader("audio", info)) as reader,
            self._file.playing("audio", self._clock, reader),
        ):
            _AudioPlayer(self._clock, self._file, thread).play(reader, passthrough=passthrough)


def _check_audio(path: str, info: MediaInfo) -> bool:
    """Return whether the audio passes through. Raises `SourceAbsent` if there is none."""
    if info.audio is None:
        raise SourceAbsent(StreamReason.FILE, f"{path} has no audio")
    method = "passes through without encoding" if info.audio.passthrough else "is encoded"
    log.info("%s: its audio (%s) %s", path, info.audio.codec, method)
    return info.audio.passthrough


class _AudioPlayer:
    """Plays the audio of a file in a loop, in the source's thread."""

    def __init__(self, clock: Clock, file: MediaFile, thread: SourceThread[OpusFrame]) -> None:
        self._clock = clock
        self._file = file
        self._timeline = file.timeline
        self._thread = thread
        self._encoder = OpusEncoder(2)
        self._assembler: FrameAssembler | None = None
        self._next_position = 0.0
        """The end of the last frame delivered."""

    def play(self, reader: TrackReader, *, passthrough: bool) -> None:
        """Play loop after loop, beginning with `reader`, until the thread is closed. Raises `SourceError`."""
        try:
            while True:
                end = self._pass_through(reader) if passthrough else self._encode(reader)
                if end is None:
                    return
                info = reader.info
                reader = self._file.next_loop(reader, end)
                if reader.info is not info:
                    passthrough = _check_audio(self._file.path, reader.info)
                    self._assembler = None
        finally:
            reader.close()

    def _pass_through(self, reader: TrackReader) -> float | None:
        """Play one loop without encoding; return the position where it ends, None if the thread is closed."""
        packets = _ReadAheadQueue(reader.packets(), lambda: self._timeline.set_end("audio", reader.loop, reader.end))
        while True:
            packets.fill(self._timeline.position(self._clock.monotonic()) + READ_AHEAD)
            end, head = self._timeline.loop_end(reader.loop), packets.head
            if end is not None and (head is None or head[1] >= end):
                return end
            if head is None or self._timeline.lateness(head[1], self._clock.monotonic()) < -_POLL_INTERVAL:
                if not self._thread.pause(_POLL_INTERVAL):
                    return None
                continue
            packet, position = packets.pop()
            if packet_samples(bytes(packet)) != FRAME_SAMPLES:
                return self._encode_rest(reader, position)
            if not self._deliver_packet(reader, packet, position):
                return None

    def _deliver_packet(self, reader: TrackReader, packet: AnyPacket, position: float) -> bool:
        """Deliver a packet when it is due; return false if the thread is closed."""
        if abs(position - self._next_position) < _ROUNDING:
            position = self._next_position
        if packet.is_discard or position < max(reader.begin, self._next_position):
            return True  # not to be played, or overlapping the last frame of the previous loop
        if not self._wait_until_due(position):
            return False
        self._thread.deliver(OpusFrame(bytes(packet), self._timeline.due(position)))
        self._next_position = position + FRAME
        return True

    def _encode_rest(self, reader: TrackReader, position: float) -> float | None:
        """Encode the loop from `position` on, and all following ones: the packets have turned out not to be 20 ms."""
        log.info("%s: its audio is encoded from here on: not all of its packets are 20 ms long", self._file.path)
        info = self._file.disable_passthrough("audio", "")
        rest = self._file.open_reader("audio", info)
        try:
            rest.set_position(reader.loop, reader.offset, position, seek=not reader.jumped)
            return self._encode(rest)
        finally:
            rest.close()

    def _encode(self, reader: TrackReader) -> float | None:
        """Play one loop with encoding; return the position where it ends, None if the thread is closed."""
        start = round(max(reader.begin, self._next_position) * RATE)
        assembler = self._assembler = self._assembler or FrameAssembler(start)
        chunks = _ReadAheadQueue(_pcm_chunks(reader), lambda: self._timeline.set_end("audio", reader.loop, reader.end))
        while True:
            chunks.fill(assembler.end / RATE + READ_AHEAD)
            end = self._timeline.loop_end(reader.loop)
            limit = _NO_LIMIT if end is None else round(end * RATE)
            if end is not None and assembler.end >= limit:
                return end
            for position, pcm in _add_next(assembler, chunks, limit):
                if not self._wait_until_due(position / RATE):
                    return None
                data, lead = self._encoder.encode(pcm)
                self._thread.deliver(OpusFrame(data, self._timeline.due(position / RATE + lead)))
                self._next_position = position / RATE + FRAME

    def _wait_until_due(self, position: float) -> bool:
        return self._thread.pause(-self._timeline.lateness(position, self._clock.monotonic()))


class _ReadAheadQueue(Generic[Item]):
    """Items with their positions, read before they are due; calls `at_end` when the last one has been read."""

    def __init__(self, items: Iterator[tuple[Item, float]], at_end: Callable[[], None]) -> None:
        self._items = items
        self._at_end: Callable[[], None] | None = at_end
        self._queue: deque[tuple[Item, float]] = deque()

    @property
    def head(self) -> tuple[Item, float] | None:
        """The next item, if there is one."""
        return self._queue[0] if self._queue else None

    def pop(self) -> tuple[Item, float]:
        """Remove and return the next item."""
        return self._queue.popleft()

    def fill(self, until: float) -> None:
        """Read up to position `until`."""
        while self._at_end and not (self._queue and self._queue[-1][1] >= until):
            item = next(self._items, None)
            if item is not None:
                self._queue.append(item)
            else:
                self._at_end()
                self._at_end = None


def _add_next(assembler: FrameAssembler, chunks: _ReadAheadQueue[bytes], limit: int) -> Iterator[tuple[int, bytes]]:
    """Add the next chunk if it is due, otherwise 20 ms of silence; return the frames completed by it."""
    head = chunks.head
    if head is not None and round(head[1] * RATE) <= assembler.end + FRAME_SAMPLES:
        chunk, position = chunks.pop()
        return assembler.add(round(position * RATE), chunk, limit)
    return assembler.add_silence(min(assembler.end + FRAME_SAMPLES, limit))


def _pcm_chunks(reader: TrackReader) -> Iterator[tuple[bytes, float]]:
    """Yield the audio of one loop as 48 kHz 16-bit stereo in chunks of at most 20 ms, with their positions."""
    resampler: AudioResampler | None = None
    format_ = None
    shift = 0.0
    for frame, position in reader.frames():
        if not isinstance(frame, AudioFrame):
            continue
        if format_ != (frame.format.name, frame.layout.name, frame.sample_rate):  # TV broadcasts may change it midway
            format_ = frame.format.name, frame.layout.name, frame.sample_rate
            resampler = AudioResampler("s16", "stereo", RATE)
            # The resampler holds some samples back, and its timestamps account for that.
            shift = position - (to_seconds(frame.pts, frame.time_base) or 0.0)
        yield from _resample(resampler, frame, position, shift, reader)
    if resampler:
        yield from _resample(resampler, None, reader.end, shift, reader)


def _resample(
    resampler: AudioResampler | None, frame: AudioFrame | None, position: float, shift: float, reader: TrackReader
) -> Iterator[tuple[bytes, float]]:
    assert resampler is not None
    try:
        with libav_errors(StreamReason.FILE, "resampling"):
            resampled = resampler.resample(frame)
    except SourceError:
        if frame is None:
            return
        raise
    for output in resampled:
        time = to_seconds(output.pts, output.time_base)
        begin = position if time is None else time + shift
        pcm = bytes(output.planes[0])[: output.samples * STEREO_BYTES]
        for start in range(0, output.samples, FRAME_SAMPLES):
            yield pcm[start * STEREO_BYTES : (start + FRAME_SAMPLES) * STEREO_BYTES], begin + start / RATE
