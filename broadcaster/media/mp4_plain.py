"""Recordings: fragmented MP4 while they are written, ended in place as a plain MP4, which every player can seek in.

`header` has 16 bytes of `free` between `ftyp` and `moov`. To end the file, `MovieIndex.movie` is appended behind the
last fragment: a second `moov`, with sample tables. Then `CLOSED` replaces those 16 bytes, which makes everything up to
that `moov` the content of one `mdat` (OBS calls this hybrid MP4). Before that last step the file is valid as fragmented
MP4, and no byte of it ever moves.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from broadcaster.media.mp4 import (
    MOVIE_RATE,
    Fragment,
    Sample,
    SampleTables,
    Tracks,
    box,
    full_box,
    init_segment,
    movie_box,
)
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE

if TYPE_CHECKING:
    from broadcaster.media.mp4_samples import TrackSamples

MARK_OFFSET = 32
"""Bytes of `ftyp`, behind which `OPEN` or `CLOSED` stands."""
OPEN = struct.pack(">L4s8x", 16, b"free")
"""What stands there while the file is being written."""
_MAX_TIME = (1 << 32) - 1
"""Ticks that the tables can hold: 13 hours of video."""
_UNITY = 0x10000
_NO_MEDIA = -1
"""Edit list entries (14496-12 §8.6.6): normal speed, and an entry without media."""


def closed(end: int) -> bytes:
    """Return the 16 bytes that replace `OPEN`: an `mdat` box (14496-12 §4.2, 64-bit size) up to the offset `end`."""
    return struct.pack(">L4sQ", 1, b"mdat", end - MARK_OFFSET)


def header(tracks: Tracks) -> bytes:
    """Return the beginning of a file that is going to be written."""
    init = init_segment(tracks)
    return init[:MARK_OFFSET] + OPEN + init[MARK_OFFSET:]


class TrackIndex:
    """The sample tables of one track, as they grow; about 5 bytes per sample."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._start = 0
        self._end = 0
        self._sizes = array("I")
        self._keyframes = array("I")
        self._run_counts = array("I")
        self._run_durations = array("I")
        self._offsets = array("Q")
        self._counts = array("I")

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def end(self) -> float:
        """The end of the last sample, in seconds."""
        return self._end / self._rate

    def fits(self, samples: Sequence[Sample]) -> bool:
        """Return whether these samples can follow: time does not go back, nor further than the tables can hold."""
        if not samples:
            return True
        begins = samples[0].time >= self._end or not self
        return begins and samples[-1].time + samples[-1].duration <= _MAX_TIME

    def add(self, samples: Sequence[Sample], offset: int) -> None:
        """Take samples that lie at `offset` in the file. A gap in front of them prolongs the sample before."""
        if not samples:
            return
        if not self:
            self._start = self._end = samples[0].time
        elif samples[0].time > self._end:
            self._prolong(samples[0].time - self._end)
        self._offsets.append(offset)
        self._counts.append(len(samples))
        for sample in samples:
            self._sizes.append(len(sample.data))
            if sample.keyframe:
                self._keyframes.append(len(self._sizes))
            self._append_duration(sample.duration)

    def extend(self, samples: TrackSamples) -> None:
        """Take samples of another file; the last one here gets longer or shorter, so that they begin at their time.

        Those that would overlap with what is here already are left out.
        """
        time, end, skipped = samples.start, self._end if self else 0, 0
        while skipped < len(samples.sizes) and time + samples.durations[skipped] // 2 < end:
            time += samples.durations[skipped]
            skipped += 1
        if skipped == len(samples.sizes):
            return
        if not self:
            self._start = self._end = max(time, 0)
        elif time != self._end:
            self._prolong(time - self._end)
        keyframes = enumerate(samples.keyframes[skipped:], len(self) + 1)
        self._keyframes.extend(number for number, is_keyframe in keyframes if is_keyframe)
        for duration, same in groupby(samples.durations[skipped:]):
            self._append_run(len(list(same)), duration)
        self._sizes.extend(samples.sizes[skipped:])
        for chunk in samples.chunks():
            left_out = min(max(skipped - chunk.first, 0), chunk.count)
            if left_out < chunk.count:
                self._offsets.append(chunk.offset + sum(samples.sizes[chunk.first : chunk.first + left_out]))
                self._counts.append(chunk.count - left_out)

    def move(self, size: int) -> None:
        """Let all samples lie so many bytes further."""
        self._offsets = array("Q", (offset + size for offset in self._offsets))

    def tables(self, *, all_keyframes: bool) -> SampleTables:
        """Return the boxes of `stbl` (14496-12 §8.6.1, §8.6.2, §8.7)."""
        runs = zip(self._run_counts, self._run_durations, strict=True)
        boxes = [_table(b"stts", [struct.pack(">2L", *run) for run in runs])]
        if not all_keyframes:
            boxes.append(_table(b"stss", [_big_endian(self._keyframes)], len(self._keyframes)))
        boxes += [
            _table(b"stsc", [struct.pack(">3L", first, count, 1) for first, count in _changes(self._counts)]),
            full_box(b"stsz", 0, 0, struct.pack(">2L", 0, len(self)), _big_endian(self._sizes)),
            _table(b"co64", [_big_endian(self._offsets)], len(self._offsets)),
        ]
        return SampleTables(b"".join(boxes), self._edits(), self._end - self._start, self._in_movie(self._end))

    def _append_duration(self, duration: int) -> None:
        self._append_run(1, duration)

    def _append_run(self, count: int, duration: int) -> None:
        self._end += count * duration
        if self._run_durations and self._run_durations[-1] == duration:
            self._run_counts[-1] += count
        else:
            self._run_counts.append(count)
            self._run_durations.append(duration)

    def _prolong(self, ticks: int) -> None:
        """Make the last sample longer, or shorter if `ticks` is negative; at least one tick remains."""
        last = self._run_durations[-1]
        self._run_counts[-1] -= 1
        if not self._run_counts[-1]:
            self._run_counts.pop()
            self._run_durations.pop()
        self._end -= last
        self._append_duration(max(last + ticks, 1))

    def _edits(self) -> bytes:
        """Return an edit list that lets the track begin later than the movie, if it does."""
        start, end = self._in_movie(self._start), self._in_movie(self._end)
        if not start:
            return b""
        rows = struct.pack(">LlL", start, _NO_MEDIA, _UNITY), struct.pack(">LlL", end - start, 0, _UNITY)
        return box(b"edts", _table(b"elst", rows))

    def _in_movie(self, time: int) -> int:
        return round(time * MOVIE_RATE / self._rate)


class MovieIndex:
    """Where the samples of a file are, for the `moov` that ends it; `end` is the offset of the next fragment."""

    def __init__(self, tracks: Tracks) -> None:
        self.end = len(header(tracks))
        self.tracks = tracks
        self._video = TrackIndex(VIDEO_RATE)
        self._audio = TrackIndex(AUDIO_RATE)

    @property
    def duration(self) -> float:
        """The duration in seconds."""
        return max(self._video.end, self._audio.end)

    def fits(self, content: Fragment) -> bool:
        """Return whether a fragment can follow, which is always so if it comes from the recorder."""
        return self._video.fits(content.video) and self._audio.fits(content.audio)

    def add(self, content: Fragment, size: int) -> None:
        """Take the next fragment, which has `size` bytes in the file."""
        video, audio = (sum(len(sample.data) for sample in part) for part in (content.video, content.audio))
        self.end += size
        self._video.add(content.video, self.end - audio - video)
        self._audio.add(content.audio, self.end - audio)

    def movie(self) -> bytes:
        """Return the `moov` to append; tracks without samples are omitted."""
        audio = self._audio.tables(all_keyframes=True) if len(self._audio) else None
        return movie_box(self.tracks, self._video.tables(all_keyframes=False), audio)


def _table(kind: bytes, rows: Sequence[bytes], count: int | None = None) -> bytes:
    return full_box(kind, 0, 0, struct.pack(">L", len(rows) if count is None else count), *rows)


def _changes(counts: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Yield the number of each chunk that has another count of samples than the one before, and that count."""
    number = 1
    for count, same in groupby(counts):
        yield number, count
        number += sum(1 for _ in same)


def _big_endian(numbers: array[int]) -> bytes:
    swapped = array(numbers.typecode, numbers)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()
