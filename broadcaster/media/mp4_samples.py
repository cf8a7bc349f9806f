"""Where the samples of a recording are: read from the `moov` of a file that was ended, else from its fragments.

Both give the same tables, because `mp4_plain` makes that `moov` of what the fragments contain. The samples themselves
are not read. Everything is checked against the size of the file: it may be damaged, or a stranger's.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat

from broadcaster.media.mp4 import AUDIO_RUN, AUDIO_TRACK, MOVIE_RATE, SYNC_SAMPLE, VIDEO_RUN, VIDEO_TRACK, Tracks
from broadcaster.media.mp4_mend import ReadAt, box_header, read_tracks
from broadcaster.media.mp4_plain import MARK_OFFSET, OPEN, closed, header
from broadcaster.media.mp4_reader import Box, Mp4Error, boxes, refusing_damage
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE

_MAX_MOOV = 64 << 20
"""Bytes; that of an hour's file has 2 MB."""
_MAX_MOOF = 1 << 20
_MAX_SAMPLES = 1 << 24
_MAX_TIME = (1 << 32) - 1
"""Ticks."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples that lie next to each other, from `offset` to `end` in the file: `count` samples from number `first` on.

    `time` is that of the first one in ticks; `keyframe`: the first one is a keyframe.
    """

    offset: int
    end: int
    first: int
    count: int
    time: int
    keyframe: bool


@dataclass(slots=True)
class TrackSamples:
    """The samples of a track. They lie in chunks, one for each fragment: `offsets` in the file, `counts` of samples.

    `start` is the time of the first sample; it and `durations` are in ticks of `rate`. `keyframes` has one byte for
    each sample; it is empty if all of them are.
    """

    rate: int
    start: int = 0
    sizes: array[int] = field(default_factory=lambda: array("I"))
    durations: array[int] = field(default_factory=lambda: array("I"))
    keyframes: bytearray = field(default_factory=bytearray)
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    counts: array[int] = field(default_factory=lambda: array("I"))

    @property
    def end(self) -> float:
        """The end of the last sample in seconds."""
        return (self.start + sum(self.durations)) / self.rate

    def part(self, begin: int, end: int, moved: int, start: int) -> TrackSamples:
        """Return the samples between two offsets, as they are in a file in which they lie `moved` bytes further.

        What was at the time `start` is at 0 there; the first sample may be a little earlier.
        """
        chunks = [chunk for chunk in self.chunks() if begin <= chunk.offset < end]
        if not chunks:
            return TrackSamples(self.rate)
        first, last = chunks[0].first, chunks[-1].first + chunks[-1].count
        return TrackSamples(
            self.rate, chunks[0].time - start, self.sizes[first:last], self.durations[first:last],
            self.keyframes[first:last], array("Q", (chunk.offset + moved for chunk in chunks)),
            array("I", (chunk.count for chunk in chunks)),
        )  # fmt: skip

    def chunks(self) -> Iterator[Chunk]:
        """Yield all chunks."""
        first, time = 0, self.start
        for offset, count in zip(self.offsets, self.counts, strict=True):
            keyframe = not self.keyframes or bool(self.keyframes[first])
            yield Chunk(offset, offset + sum(self.sizes[first : first + count]), first, count, time, keyframe)
            time += sum(self.durations[first : first + count])
            first += count


@dataclass(slots=True)
class FileSamples:
    """The samples of a recording; `end` is the offset behind its last fragment."""

    tracks: Tracks
    video: TrackSamples
    audio: TrackSamples
    end: int = 0


@refusing_damage()
def read_samples(read_at: ReadAt) -> FileSamples:
    """Return where the samples of a recording are. Raises `Mp4Error`.

    A file that is being written may be read at any time: what is incomplete at its end is left out.
    """
    tracks = read_tracks(read_at)
    found = FileSamples(tracks, TrackSamples(VIDEO_RATE), TrackSamples(AUDIO_RATE), len(header(tracks)))
    mark = read_at(len(OPEN), MARK_OFFSET)
    if mark[4:8] == b"mdat":
        found.end = MARK_OFFSET + int(struct.unpack(">L4sQ", mark)[2])
        if mark != closed(found.end) or found.end >= 1 << 62:
            raise Mp4Error("the file was not ended properly")
        _read_movie(read_at, found)
    else:
        _read_fragments(read_at, found)
    for samples in (found.video, found.audio):
        _check(samples, found.end)
    return found


def _read_movie(read_at: ReadAt, found: FileSamples) -> None:
    size, kind = box_header(read_at, found.end)
    if kind != b"moov" or size > _MAX_MOOV:
        raise Mp4Error("the file has no index")
    moov = next(boxes(memoryview(read_at(size, found.end))), None)
    if moov is None:
        raise Mp4Error("the index of the file is incomplete")
    for track in (one for one in boxes(moov.content) if one.kind == b"trak"):
        is_video = bytes(track.child(b"mdia", b"hdlr").content[8:12]) == b"vide"
        _read_track(track, found.video if is_video else found.audio)


def _read_track(track: Box, samples: TrackSamples) -> None:
    tables = track.child(b"mdia", b"minf", b"stbl")
    (count,) = (sizes := tables.child(b"stsz")).fields(">L", 8)
    samples.sizes = _numbers(sizes, "I", 12, count)
    samples.durations = _durations(tables.child(b"stts"), count)
    (chunks,) = (offsets := tables.child(b"co64")).fields(">L", 4)
    samples.offsets = _numbers(offsets, "Q", 8, chunks)
    samples.counts = _chunk_counts(tables.child(b"stsc"), chunks, count)
    samples.start = _start(track, samples.rate)
    sync = next((one for one in boxes(tables.content) if one.kind == b"stss"), None)
    if sync is not None:
        samples.keyframes = bytearray(count)
        for number in _numbers(sync, "I", 8, sync.fields(">L", 4)[0]):
            if not 1 <= number <= count:
                raise Mp4Error("the index names a sample that does not exist")
            samples.keyframes[number - 1] = 1


def _numbers(table: Box, typecode: str, start: int, count: int) -> array[int]:
    """Return so many big-endian numbers. Raises `Mp4Error` if the table is shorter."""
    numbers = array(typecode)
    data = table.content[start : start + count * numbers.itemsize]
    if len(data) < count * numbers.itemsize:
        raise Mp4Error(f"the table {table.kind!r} is too short")
    numbers.frombytes(data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _durations(table: Box, count: int) -> array[int]:
    runs = _numbers(table, "I", 8, 2 * table.fields(">L", 4)[0])
    counts, values = runs[::2], runs[1::2]
    if count > _MAX_SAMPLES or sum(counts) != count:
        raise Mp4Error("the durations in the index do not fit the samples")
    return array("I", chain.from_iterable(map(repeat, values, counts)))


def _chunk_counts(table: Box, chunks: int, count: int) -> array[int]:
    """Return how many samples each chunk has (14496-12 §8.7.4)."""
    rows = _numbers(table, "I", 8, 3 * table.fields(">L", 4)[0])
    firsts, per_chunk = rows[::3], rows[1::3]
    counts = array("I")
    for first, following, samples in zip(firsts, [*firsts[1:], chunks + 1], per_chunk, strict=True):
        if first != len(counts) + 1 or not first < following <= chunks + 1:
            raise Mp4Error("the chunks in the index are not in order")
        counts.extend(repeat(samples, following - first))
    if len(counts) != chunks or sum(counts) != count:
        raise Mp4Error("the chunks in the index do not fit the samples")
    return counts


def _start(track: Box, rate: int) -> int:
    """Return when a track begins, which its edit list tells (§8.6.6): an empty edit in front."""
    edits = next((one for one in boxes(track.content) if one.kind == b"edts"), None)
    if edits is None:
        return 0
    duration, media_time = edits.child(b"elst").fields(">Ll", 8)
    return round(duration * rate / MOVIE_RATE) if media_time < 0 else 0


def _check(samples: TrackSamples, end: int) -> None:
    """Check that the chunks follow each other in the file, and that times can be told. Raises `Mp4Error`."""
    behind, first = 0, 0
    sizes = array("Q", accumulate(samples.sizes, initial=0))
    for offset, count in zip(samples.offsets, samples.counts, strict=True):
        if offset < behind:
            raise Mp4Error("the chunks in the file are not in order")
        behind = offset + sizes[first + count] - sizes[first]
        first += count
    if behind > end or samples.end * samples.rate > _MAX_TIME:
        raise Mp4Error("the index points behind the end of the file")


def _read_fragments(read_at: ReadAt, found: FileSamples) -> None:
    """Read the fragments of a file that was not ended."""
    ends: dict[int, int] = {}
    while True:
        try:
            size, kind = box_header(read_at, found.end)
            data_size, data_kind = box_header(read_at, found.end + size)
            end = found.end + size + data_size
            if (kind, data_kind) != (b"moof", b"mdat") or size > _MAX_MOOF or not read_at(1, end - 1):
                return
            moof = next(boxes(memoryview(read_at(size, found.end))), None)
        except Mp4Error:
            return
        if moof is None:
            return
        for run in (one for one in boxes(moof.content) if one.kind == b"traf"):
            _read_run(run, found, ends)
        found.end = end


def _read_run(run: Box, found: FileSamples, ends: dict[int, int]) -> None:
    """Read a run of samples; `ends` are the times at which the last ones of each track end, in ticks."""
    (track,), (time,) = run.child(b"tfhd").fields(">L", 4), run.child(b"tfdt").fields(">Q", 4)
    rows = run.child(b"trun")
    flags, count, offset = rows.fields(">LLl")
    if (track, flags) not in ((VIDEO_TRACK, VIDEO_RUN), (AUDIO_TRACK, AUDIO_RUN)):
        raise Mp4Error("a fragment has an unexpected track")
    samples, columns = (found.video, 3) if track == VIDEO_TRACK else (found.audio, 2)
    numbers = _numbers(rows, "I", 12, columns * count)
    gap = max(time - ends.get(track, time), 0)
    if time + sum(numbers[::columns]) > _MAX_TIME or not count:
        raise Mp4Error("a fragment has impossible times")
    if not samples.sizes:
        samples.start = time
    elif gap:
        samples.durations[-1] += gap  # as in the index that ends the file
    ends[track] = time + sum(numbers[::columns])
    samples.durations.extend(numbers[::columns])
    samples.sizes.extend(numbers[1::columns])
    if track == VIDEO_TRACK:
        samples.keyframes.extend(value == SYNC_SAMPLE for value in numbers[2::columns])
    samples.offsets.append(found.end + offset)
    samples.counts.append(count)
