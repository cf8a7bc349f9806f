"""The audio source `file`: a media file's sound in a loop, in step with its picture."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from broadcaster.devices.file.demuxer import AnyPacket
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.run import Run
from broadcaster.devices.file.tape import STEREO_BYTES, Tape
from broadcaster.devices.file.timestamps import seconds
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES, RATE, OpusEncoder
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceAbsent, SourceError, StreamReason
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import AudioSink, Clock

log = logging.getLogger(__name__)

AHEAD = 0.5
"""Seconds that the file is read ahead, so that the end of the sound is known before the picture ends."""
_ROUNDING = 0.005
"""Seconds by which frames may seem to overlap or to leave a gap, because some containers round to milliseconds."""
_STEP = 0.02
"""Seconds between two looks whether the picture has come to the end of the loop."""
_ENDLESS = 1 << 62
"""Place in samples of an end that is not known yet."""

Item = TypeVar("Item")


class FileAudio:
    """`ports.AudioSource` of a file.

    Opus in frames of 20 ms passes through; all else becomes 48 kHz stereo and is encoded. Silence follows sound
    that is shorter than the picture.
    """

    name = "file"

    def __init__(self, clock: Clock, file: MediaFile) -> None:
        self._clock = clock
        self._file = file
        self._thread: SourceThread[OpusFrame] | None = None
        file.sounding = True

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`, but most errors are only found when this has returned.

        A film without sound is no fault (`SourceAbsent`).
        """
        self._thread = self._file.play("file-audio", self._run, sink.frame, sink.failed)

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await self._file.end(thread)

    def _run(self, thread: SourceThread[OpusFrame]) -> None:
        info = self._file.read_media_info()
        passes = _require_sound(self._file.path, info)
        with (
            closing(self._file.open_run("audio", info)) as run,
            self._file.playing("audio", self._clock, run),
        ):
            _Player(self._clock, self._file, thread).play(run, passes=passes)


def _require_sound(path: str, info: MediaInfo) -> bool:
    """Whether the sound of such a file passes through."""
    if info.audio is None:
        raise SourceAbsent(StreamReason.FILE, f"{path} has no sound")
    way = "passes through without encoding" if info.audio.passes else "is encoded"
    log.info("%s: its sound (%s) %s", path, info.audio.codec, way)
    return info.audio.passes


class _Player:
    """Plays the sound of a file in a loop, in the source's thread."""

    def __init__(self, clock: Clock, file: MediaFile, thread: SourceThread[OpusFrame]) -> None:
        self._clock = clock
        self._file = file
        self._timeline = file.timeline
        self._thread = thread
        self._encoder = OpusEncoder(2)
        self._tape: Tape | None = None
        self._free = 0.0

    def play(self, run: Run, *, passes: bool) -> None:
        """Play `run` and all that follow, until the thread is to end. Raises `SourceError`."""
        try:
            while True:
                end = self._pass(run) if passes else self._encode(run)
                if end is None:
                    return
                info = run.info
                run = self._file.follow(run, end)
                if run.info is not info:
                    passes = _require_sound(self._file.path, run.info)
                    self._tape = None
        finally:
            run.close()

    def _pass(self, run: Run) -> float | None:
        """Play one run as it is; the position where its loop ends, None when it is time to return."""
        packets = _ReadAhead(run.packets(), lambda: self._timeline.ended("audio", run.loop, run.end))
        while True:
            packets.fill(self._timeline.position(self._clock.monotonic()) + AHEAD)
            end, head = self._timeline.loop_end(run.loop), packets.head
            if end is not None and (head is None or head[1] >= end):
                return end
            if head is None or self._timeline.lateness(head[1], self._clock.monotonic()) < -_STEP:
                if not self._thread.pause(_STEP):
                    return None
                continue
            packet, position = packets.pop()
            if packet_samples(bytes(packet)) != FRAME_SAMPLES:
                return self._encode_the_rest(run, position)
            if not self._pass_packet(run, packet, position):
                return None

    def _pass_packet(self, run: Run, packet: AnyPacket, position: float) -> bool:
        if abs(position - self._free) < _ROUNDING:
            position = self._free
        if packet.is_discard or position < max(run.begin, self._free):
            return True  # it is not to be heard, or overlaps the frame before: a new loop has begun
        if not self._wait(position):
            return False
        self._thread.deliver(OpusFrame(bytes(packet), self._timeline.due(position)))
        self._free = position + FRAME
        return True

    def _encode_the_rest(self, run: Run, position: float) -> float | None:
        """Its packets have turned out not to pass: the rest of the loop is encoded, and so are all that follow."""
        log.info("%s: its sound is encoded from here on: its packets are not all 20 ms long", self._file.path)
        info = self._file.encode_instead("audio", "")
        rest = self._file.open_run("audio", info)
        try:
            rest.place(run.loop, run.offset, position, seek=not run.jumped)
            return self._encode(rest)
        finally:
            rest.close()

    def _encode(self, run: Run) -> float | None:
        """Play one run encoded; the position where its loop ends, None when it is time to return."""
        tape = self._tape = self._tape or Tape(round(max(run.begin, self._free) * RATE))
        pieces = _ReadAhead(_pieces(run), lambda: self._timeline.ended("audio", run.loop, run.end))
        while True:
            pieces.fill(tape.end / RATE + AHEAD)
            end = self._timeline.loop_end(run.loop)
            limit = _ENDLESS if end is None else round(end * RATE)
            if end is not None and tape.end >= limit:
                return end
            for place, pcm in _laid(tape, pieces, limit):
                if not self._wait(place / RATE):
                    return None
                data, lead = self._encoder.encode(pcm)
                self._thread.deliver(OpusFrame(data, self._timeline.due(place / RATE + lead)))
                self._free = place / RATE + FRAME

    def _wait(self, position: float) -> bool:
        return self._thread.pause(-self._timeline.lateness(position, self._clock.monotonic()))


class _ReadAhead(Generic[Item]):
    """Items with their positions, read before they are due; `ended` is called when the last one has been read."""

    def __init__(self, items: Iterator[tuple[Item, float]], ended: Callable[[], None]) -> None:
        self._items = items
        self._ended: Callable[[], None] | None = ended
        self._queue: deque[tuple[Item, float]] = deque()

    @property
    def head(self) -> tuple[Item, float] | None:
        """The next item, if there is one."""
        return self._queue[0] if self._queue else None

    def pop(self) -> tuple[Item, float]:
        """Take the next item."""
        return self._queue.popleft()

    def fill(self, until: float) -> None:
        """Read up to position `until`."""
        while self._ended and not (self._queue and self._queue[-1][1] >= until):
            item = next(self._items, None)
            if item is not None:
                self._queue.append(item)
            else:
                self._ended()
                self._ended = None


def _laid(tape: Tape, pieces: _ReadAhead[bytes], limit: int) -> Iterator[tuple[int, bytes]]:
    """Lay down the next piece if its place has come, else a frame of silence; yields the frames now complete."""
    head = pieces.head
    if head is not None and round(head[1] * RATE) <= tape.end + FRAME_SAMPLES:
        piece, position = pieces.pop()
        return tape.lay(round(position * RATE), piece, limit)
    return tape.silence(min(tape.end + FRAME_SAMPLES, limit))


def _pieces(run: Run) -> Iterator[tuple[bytes, float]]:
    """The sound of one run as 48 kHz 16-bit stereo in pieces of 20 ms at most, with their positions."""
    resampler: AudioResampler | None = None
    shape = None
    shift = 0.0
    for frame, position in run.frames():
        if not isinstance(frame, AudioFrame):
            continue
        if shape != (frame.format.name, frame.layout.name, frame.sample_rate):  # some broadcasts change it on the way
            shape = frame.format.name, frame.layout.name, frame.sample_rate
            resampler = AudioResampler("s16", "stereo", RATE)
            # Counted from here, for the resampler holds back some samples and counts them itself.
            shift = position - (seconds(frame.pts, frame.time_base) or 0.0)
        yield from _resampled(resampler, frame, position, shift, run)
    if resampler:
        yield from _resampled(resampler, None, run.end, shift, run)


def _resampled(
    resampler: AudioResampler | None, frame: AudioFrame | None, position: float, shift: float, run: Run
) -> Iterator[tuple[bytes, float]]:
    assert resampler is not None
    try:
        with libav_errors(StreamReason.FILE, "resampling"):
            pieces = resampler.resample(frame)
    except SourceError:
        if frame is None:
            return
        raise
    for piece in pieces:
        at = seconds(piece.pts, piece.time_base)
        begin = position if at is None else at + shift
        pcm = bytes(piece.planes[0])[: piece.samples * STEREO_BYTES]
        for place in range(0, piece.samples, FRAME_SAMPLES):
            yield pcm[place * STEREO_BYTES : (place + FRAME_SAMPLES) * STEREO_BYTES], begin + place / RATE
