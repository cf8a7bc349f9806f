"""Reads the fragmented MP4 that `mp4` writes, up to the last complete fragment: `read(write(x)) == x`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from broadcaster.media.bits import PictureFormat, picture_format
from broadcaster.media.h264 import START_CODE
from broadcaster.media.mp4 import (
    AUDIO_RUN,
    AUDIO_TRACK,
    DEPENDENT_SAMPLE,
    SYNC_SAMPLE,
    VIDEO_RUN,
    VIDEO_TRACK,
    Fragment,
    Sample,
    Tracks,
)

_HEADER = 8
_AVC1_FIELDS = 78
"""Bytes of `avc1` before the boxes in it (14496-12 §12.1.3.2)."""


class Mp4Error(ValueError):
    """The data is no MP4 of the kind that this package writes."""


@contextmanager
def refusing_damage() -> Iterator[None]:
    """Raise `Mp4Error` for any error that impossible numbers in a file cause inside the block."""
    try:
        yield
    except Mp4Error:
        raise
    except (struct.error, ArithmeticError, LookupError, ValueError) as error:
        raise Mp4Error(f"its index is impossible ({error})") from error


@dataclass(slots=True)
class Movie:
    """The content of a file: `size` counts the bytes up to the end of the last complete part."""

    tracks: Tracks
    fragments: list[Fragment] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """A box of a file (14496-12 §4.2): `start` is its offset in what was read, `content` what is behind its header."""

    kind: bytes
    start: int
    content: memoryview

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.start + _HEADER + len(self.content)

    def fields(self, format: str, offset: int = 0) -> tuple[int, ...]:
        """Return numbers in the content. Raises `Mp4Error` if it is too short."""
        try:
            return struct.unpack_from(format, self.content, offset)
        except struct.error:
            raise Mp4Error(f"the box {self.kind!r} is too short") from None

    def child(self, *path: bytes) -> Box:
        """Return the first box at this path inside. Raises `Mp4Error` if there is none."""
        found = self
        for kind in path:
            inner = next((one for one in boxes(found.content) if one.kind == kind), None)
            if inner is None:
                raise Mp4Error(f"the box {found.kind!r} has no {kind!r}")
            found = inner
        return found


def read(data: bytes) -> Movie:
    """Return the content of an init segment and the fragments behind it. Raises `Mp4Error`.

    An incomplete fragment at the end is not an error: recording may have been interrupted.
    """
    found = list(boxes(memoryview(data)))
    if [one.kind for one in found[:2]] != [b"ftyp", b"moov"]:
        raise Mp4Error("the file does not begin with ftyp and moov")
    movie = Movie(_read_tracks(found[1]), size=found[1].end)
    for moof, mdat in zip(found[2::2], found[3::2], strict=False):
        if (moof.kind, mdat.kind) != (b"moof", b"mdat"):
            raise Mp4Error(f"{moof.kind!r} and {mdat.kind!r} instead of moof and mdat")
        movie.fragments.append(_read_fragment(moof, mdat))
        movie.size = mdat.end
    return movie


def read_fragment(data: bytes) -> Fragment:
    """Return the content of one fragment. Raises `Mp4Error`."""
    found = list(boxes(memoryview(data)))
    if [one.kind for one in found] != [b"moof", b"mdat"]:
        raise Mp4Error("this is not a moof and an mdat")
    return _read_fragment(*found)


def access_unit(sample: bytes, tracks: Tracks) -> bytes:
    """Return a picture with start codes and the parameter sets of its track in front, as decoders take it.

    It ends where the lengths in it do not fit.
    """
    units, position = [*tracks.sps, *tracks.pps], 0
    while position + 4 <= len(sample):
        (size,) = struct.unpack_from(">L", sample, position)
        units.append(sample[position + 4 : position + 4 + size])
        position += 4 + size
    return b"".join(b"\0" + START_CODE + unit for unit in units)


def boxes(data: memoryview) -> Iterator[Box]:
    """Yield the boxes in `data`, up to an incomplete one. Raises `Mp4Error` if a size is impossible."""
    offset = 0
    while offset + _HEADER <= len(data):
        size, kind = struct.unpack_from(">L4s", data, offset)
        if size < _HEADER:
            raise Mp4Error(f"the box {kind!r} has the size {size}")
        if offset + size > len(data):
            return
        yield Box(kind, offset, data[offset + _HEADER : offset + size])
        offset += size


def _read_tracks(moov: Box) -> Tracks:
    tracks = [one for one in boxes(moov.content) if one.kind == b"trak"]
    handlers = [bytes(track.child(b"mdia", b"hdlr").content[8:12]) for track in tracks]
    if handlers not in ([b"vide"], [b"vide", b"soun"]):
        raise Mp4Error(f"the tracks are {handlers}")
    entries = tracks[0].child(b"mdia", b"minf", b"stbl", b"stsd")
    avc1 = next(boxes(entries.content[8:]), None)
    if avc1 is None or avc1.kind != b"avc1":
        raise Mp4Error("the video is not avc1")
    record = next((one for one in boxes(avc1.content[_AVC1_FIELDS:]) if one.kind == b"avcC"), None)
    if record is None:
        raise Mp4Error("there is no decoder configuration")
    sps, pps = _read_parameter_sets(record)
    try:
        format: PictureFormat = picture_format(sps[0])
    except ValueError as error:
        raise Mp4Error(str(error)) from error
    return Tracks(sps, pps, format, audio=len(tracks) == 2)


def _read_parameter_sets(record: Box) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return SPS and PPS of an AVCDecoderConfigurationRecord (14496-15 §5.3.3.1)."""
    (count,) = record.fields(">B", 5)
    sps, offset = _read_sized(record, 6, count & 0x1F)
    (count,) = record.fields(">B", offset)
    pps, _ = _read_sized(record, offset + 1, count)
    if not sps or not pps:
        raise Mp4Error("the decoder configuration has no SPS or no PPS")
    return sps, pps


def _read_sized(record: Box, offset: int, count: int) -> tuple[tuple[bytes, ...], int]:
    sets = []
    for _ in range(count):
        (size,) = record.fields(">H", offset)
        data = bytes(record.content[offset + 2 : offset + 2 + size])
        if len(data) < size:
            raise Mp4Error("a parameter set is truncated")
        sets.append(data)
        offset += 2 + size
    return tuple(sets), offset


def _read_fragment(moof: Box, mdat: Box) -> Fragment:
    (number,) = moof.child(b"mfhd").fields(">L", 4)
    samples: dict[int, tuple[Sample, ...]] = {}
    for run in (one for one in boxes(moof.content) if one.kind == b"traf"):
        (track,) = run.child(b"tfhd").fields(">L", 4)
        if track not in (VIDEO_TRACK, AUDIO_TRACK) or track in samples:
            raise Mp4Error(f"a fragment has an unexpected track {track}")
        (time,) = run.child(b"tfdt").fields(">Q", 4)
        rows, data_start = run.child(b"trun"), mdat.start + _HEADER - moof.start
        if rows.fields(">L")[0] != (VIDEO_RUN if track == VIDEO_TRACK else AUDIO_RUN):
            raise Mp4Error("a run of samples has unexpected flags")
        samples[track] = tuple(_read_samples(rows, time, mdat, data_start))
    return Fragment(number, samples.get(VIDEO_TRACK, ()), samples.get(AUDIO_TRACK, ()))


def _read_samples(run: Box, time: int, mdat: Box, data_start: int) -> Iterator[Sample]:
    """Yield the samples of a `trun`, whose data offset counts from the moof."""
    flags, count, offset = run.fields(">LLl")
    offset -= data_start
    row = ">3L" if flags == VIDEO_RUN else ">2L"
    if count > len(run.content) // struct.calcsize(row):
        raise Mp4Error("a run of samples is truncated")
    for index in range(count):
        duration, size, *sample_flags = run.fields(row, 12 + index * struct.calcsize(row))
        if sample_flags not in ([], [SYNC_SAMPLE], [DEPENDENT_SAMPLE]):
            raise Mp4Error("a sample has unexpected flags")
        if not 0 <= offset <= offset + size <= len(mdat.content):
            raise Mp4Error("a sample lies outside of its fragment")
        yield Sample(bytes(mdat.content[offset : offset + size]), time, duration, sample_flags != [DEPENDENT_SAMPLE])
        time += duration
        offset += size
