"""Where playing a recording may begin: a table that is small enough to be kept in memory.

The fragments stay in a file that was ended, inside its `mdat`, so that any part of it can be played as fragmented MP4.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field, replace

from broadcaster.media.mp4 import VIDEO_RUN, Tracks, init_segment
from broadcaster.media.mp4_mend import ReadAt
from broadcaster.media.mp4_plain import header
from broadcaster.media.mp4_reader import Mp4Error, boxes, refusing_damage
from broadcaster.media.mp4_samples import Chunk, FileSamples
from broadcaster.media.timestamps import VIDEO_RATE

_HEADER = 8
_MAX_MOOF = 1 << 20
_MAX_PICTURE = 16 << 20


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a recording: bytes from `offset` on, at `time` seconds from its beginning."""

    offset: int
    size: int
    time: float
    duration: float


@dataclass(slots=True)
class FragmentTable:
    """The places in a recording where playing may begin: at fragments that begin with a keyframe.

    `offsets` and `times` (in ticks of the video) have one more element than there are such places: the end.
    """

    tracks: Tracks
    has_audio: bool
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    times: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return self.times[-1] / VIDEO_RATE if self.times else 0.0

    def init_segment(self) -> bytes:
        """Return what players need before the fragments."""
        return init_segment(replace(self.tracks, audio=self.has_audio))

    def begins_at(self, offset: int) -> bool:
        """Return whether playing may begin at this offset of the file."""
        place = bisect_left(self.offsets, offset)
        return place < len(self.offsets) - 1 and self.offsets[place] == offset

    def between(self, start: float, end: float, *, inside: bool = False) -> tuple[int, int]:
        """Return the numbers of the first place, and of the one behind the last, for a time in seconds.

        The part begins at or before `start`, with `inside` at or after it, and ends at or after `end`.
        """
        count = len(self.times) - 1
        if count < 1 or end <= 0 or start >= self.duration:
            return 0, 0
        find = bisect_left if inside else bisect_right
        first = find(self.times, round(start * VIDEO_RATE), 0, count) - (0 if inside else 1)
        last = bisect_left(self.times, round(min(end, self.duration) * VIDEO_RATE), 0, count)
        return max(first, 0), max(last, first)

    def nearest(self, time: float) -> int | None:
        """Return the number of the place that is the nearest to a time in seconds; None if there is none."""
        if len(self.times) < 2:
            return None
        ticks = round(min(max(time, 0.0), self.duration) * VIDEO_RATE)
        return min(range(len(self.times) - 1), key=lambda place: abs(self.times[place] - ticks))

    def span(self, first: int, last: int) -> Span:
        """Return the part from one place to another."""
        begin, end = self.times[first], self.times[last]
        offset = self.offsets[first]
        return Span(offset, self.offsets[last] - offset, begin / VIDEO_RATE, (end - begin) / VIDEO_RATE)

    def spans(self, first: int, last: int, shortest: float) -> list[Span]:
        """Return the parts between two places, each of which has at least `shortest` seconds, except the last."""
        found, begin = [], first
        for place in range(first + 1, last + 1):
            if place == last or self.times[place] - self.times[begin] >= shortest * VIDEO_RATE:
                found.append(self.span(begin, place))
                begin = place
        return found


@refusing_damage()
def fragment_table(samples: FileSamples) -> FragmentTable:
    """Return the table of a recording. Raises `Mp4Error`."""
    table = FragmentTable(samples.tracks, bool(samples.audio.sizes))
    for start, video in _fragments(samples):
        if video is not None and video.keyframe:
            table.offsets.append(start)
            table.times.append(video.time)
    if table.times:
        table.offsets.append(samples.end)
        table.times.append(max(round(samples.video.end * VIDEO_RATE), table.times[-1]))
    return table


def first_picture(read_at: ReadAt, offset: int) -> bytes:
    """Return the first picture of the fragment at this offset, with length-prefixed NAL units. Raises `Mp4Error`."""
    size, kind = struct.unpack(">L4s", read_at(_HEADER, offset).ljust(_HEADER, b"\0"))
    moof = next(boxes(memoryview(read_at(size, offset))), None) if kind == b"moof" and size <= _MAX_MOOF else None
    if moof is None:
        raise Mp4Error("there is no fragment at that place")
    run = moof.child(b"traf", b"trun")
    data, length = run.fields(">l", 8)[0], run.fields(">L", 16)[0]
    if run.fields(">L")[0] != VIDEO_RUN or not 0 < length <= _MAX_PICTURE:
        raise Mp4Error("the fragment has no picture")
    return read_at(length, offset + data)


def _fragments(samples: FileSamples) -> list[tuple[int, Chunk | None]]:
    """Return where each fragment begins, which is where the one before ends, and its pictures, if it has any.

    A fragment has a chunk of each track, the video first; there is a `moof` in front of each fragment's first chunk.
    """
    chunks = [(chunk, True) for chunk in samples.video.chunks()]
    chunks += [(chunk, False) for chunk in samples.audio.chunks()]
    chunks.sort(key=lambda pair: pair[0].offset)
    found: list[tuple[int, Chunk | None]] = []
    begin = end = len(header(samples.tracks))
    for chunk, is_video in chunks:
        if chunk.offset > end:
            begin = end
            found.append((begin, chunk if is_video else None))
        end = chunk.end
    return found
