"""Makes the bytes of a file of its chunks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from broadcaster.media.mp4 import Fragment, Sample, fragment, length_prefixed
from broadcaster.media.mp4_mend import is_picture
from broadcaster.media.mp4_plain import MovieIndex, header
from broadcaster.media.mp4_timing import AudioTiming
from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.ports.recording import Chunk, Segment


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes to append to a file: one fragment, behind the header of the file if it is the first."""

    data: bytes
    content: Fragment
    size: int


class SegmentMuxer:
    """Makes the parts of one file; `index` covers those that `written` was called for."""

    def __init__(self, segment: Segment) -> None:
        self.index = MovieIndex(segment.tracks)
        self._start = segment.started
        self._audio = AudioTiming(segment.started) if segment.tracks.audio else None
        self._number = 0
        self._header = header(segment.tracks)
        self._end = 0

    def part(self, chunk: Chunk) -> Part | None:
        """Return the part for the next chunk; None if there is nothing in it that can be played."""
        content = Fragment(self._number + 1, self._video_samples(chunk), self._audio_samples(chunk))
        if not content.video and not content.audio:
            return None
        self._number += 1
        data, start = fragment(content), self._header
        self._header = b""
        return Part(start + data, content, len(data))

    def written(self, part: Part) -> None:
        """A part is in the file."""
        self.index.add(part.content, part.size)

    def _video_samples(self, chunk: Chunk) -> tuple[Sample, ...]:
        """Return the pictures; what is none, because the encoder is broken, is omitted."""
        found = [(unit, data) for unit in chunk.pictures if is_picture(data := length_prefixed(unit.data))]
        times = []
        for unit, _ in found:
            self._end = max(self._ticks(unit.captured), self._end)
            times.append(self._end)
            self._end += 1
        self._end = max(self._ticks(chunk.end), self._end)
        ends = [*times[1:], self._end]
        return tuple(
            Sample(data, time, end - time, unit.keyframe)
            for (unit, data), time, end in zip(found, times, ends, strict=False)
        )

    def _audio_samples(self, chunk: Chunk) -> tuple[Sample, ...]:
        if self._audio is None:
            return ()
        return _without_gaps([sample for frame in chunk.audio for sample in self._audio.add(frame)])

    def _ticks(self, captured: float) -> int:
        return round((captured - self._start) * VIDEO_RATE)


def _without_gaps(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return samples of which each lasts until the next one, as a fragment requires."""
    following = [sample.time for sample in samples[1:]]
    joined = [replace(sample, duration=time - sample.time) for sample, time in zip(samples, following, strict=False)]
    return (*joined, *samples[-1:])
