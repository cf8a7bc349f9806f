"""The audio source `file`: a media file's sound in a loop, in step with its picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from broadcaster.devices.file.media_file import MediaFile, Run
from broadcaster.devices.file.media_info import seconds
from broadcaster.devices.file.tape import STEREO_BYTES, Tape
from broadcaster.devices.opus import FRAME, RATE, OpusEncoder
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceAbsent, StreamReason
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import AudioSink, Clock

log = logging.getLogger(__name__)

_ROUNDING = 0.005
"""Seconds by which frames may seem to overlap or to leave a gap, because some containers round to milliseconds."""


class FileAudio:
    """`ports.AudioSource` of a file.

    Opus in frames of 20 ms passes through; all else becomes 48 kHz stereo and is encoded. Each loop ends
    with the picture's: sound that is longer is cut, silence follows sound that is shorter.
    """

    name = "file"

    def __init__(self, clock: Clock, file: MediaFile) -> None:
        self._clock = clock
        self._file = file
        self._thread: SourceThread[OpusFrame] | None = None

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
        with self._file.playing(self._clock) as found:
            if found.audio is None:
                raise SourceAbsent(StreamReason.FILE, f"{self._file.path} has no sound")
            way = "passes through without encoding" if found.audio.passes else "is encoded anew"
            log.info("%s: its sound (%s) %s", self._file.path, found.audio.codec, way)
            with closing(self._file.runs("audio", found, self._clock.monotonic())) as runs:
                if found.audio.passes:
                    self._pass(thread, runs)
                else:
                    self._encode(thread, runs)

    def _pass(self, thread: SourceThread[OpusFrame], runs: Iterator[Run]) -> None:
        free = 0.0
        for run in runs:
            for packet, position in run.packets():
                if abs(position - free) < _ROUNDING:
                    position = free
                if position < max(run.begin, free):
                    continue  # it overlaps the frame before: a new loop has begun
                if not self._wait(thread, position):
                    return
                thread.deliver(OpusFrame(bytes(packet), self._file.due(position)))
                free = position + FRAME

    def _encode(self, thread: SourceThread[OpusFrame], runs: Iterator[Run]) -> None:
        encoder = OpusEncoder(2)
        for place, pcm in _laid(runs):
            if not self._wait(thread, place / RATE):
                return
            data, lead = encoder.encode(pcm)
            thread.deliver(OpusFrame(data, self._file.due(place / RATE + lead)))

    def _wait(self, thread: SourceThread[OpusFrame], position: float) -> bool:
        return thread.pause(-self._file.lateness(position, self._clock.monotonic()))


def _laid(runs: Iterator[Run]) -> Iterator[tuple[int, bytes]]:
    """Frames of 20 ms of 16-bit stereo without a gap, with the places of their first samples since position 0."""
    tape: Tape | None = None
    for run in runs:
        tape = tape or Tape(round(run.begin * RATE))
        limit = round(run.end * RATE)
        for place, piece in _pieces(run):
            yield from tape.lay(place, piece, limit)
        yield from tape.silence(limit)


def _pieces(run: Run) -> Iterator[tuple[int, bytes]]:
    """The sound of one run as 48 kHz 16-bit stereo, with the places of the pieces."""
    shape = None
    for frame, position in run.frames():
        if not isinstance(frame, AudioFrame):
            continue
        if shape != (frame.format.name, frame.layout.name, frame.sample_rate):  # some broadcasts change it on the way
            shape = frame.format.name, frame.layout.name, frame.sample_rate
            resampler = AudioResampler("s16", "stereo", RATE)
            # Counted from here, for the resampler holds back some samples and counts them itself.
            shift = position - (seconds(frame.pts, frame.time_base) or 0.0)
        for piece in resampler.resample(frame):
            place = seconds(piece.pts, piece.time_base)
            yield (
                round((position if place is None else place + shift) * RATE),
                bytes(piece.planes[0])[: piece.samples * STEREO_BYTES],
            )
