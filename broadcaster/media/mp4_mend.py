"""What a power cut has left of a recording: finds the end of its last whole fragment, and the index to end it there.

Behind what was last flushed to the disk, a file may lack any bytes or have zeros instead, and zeros in a `moof` make
Chromium refuse the whole file. A fragment is whole if its boxes fit, its number is the next one, and the sizes of the
NAL units in each picture add up. Zeros show: a NAL unit never contains three of them (H.264 §7.4.1), and no Opus packet
consists of zeros only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from broadcaster.media.mp4 import Fragment, Tracks
from broadcaster.media.mp4_plain import MARK_OFFSET, OPEN, MovieIndex, closed
from broadcaster.media.mp4_reader import Mp4Error, read, read_fragment

ReadAt = Callable[[int, int], bytes]
"""Returns so many bytes (the first number) at an offset (the second) of a file, fewer at its end: `os.pread`."""

_HEADER = 8
_MAX_BOX = 64 << 20
"""Bytes; no box of a recording is larger."""
_MAX_INIT = 1 << 20
_ZEROS = bytes(3)
_MOVIE_HEADER = 40
"""Bytes of `moov` up to the duration in its `mvhd` (14496-12 §8.2.2, version 0)."""


def closed_duration(read_at: ReadAt) -> float:
    """Return the duration in seconds of a file that was ended properly. Raises `Mp4Error` for any other."""
    mark = read_at(len(OPEN), MARK_OFFSET)
    if len(mark) < len(OPEN):
        raise Mp4Error("the file is too short")
    end = MARK_OFFSET + struct.unpack(">L4sQ", mark)[2]
    movie = read_at(_MOVIE_HEADER, end) if mark == closed(end) and end < 1 << 62 else b""
    if len(movie) < _MOVIE_HEADER or (movie[4:8], movie[12:16]) != (b"moov", b"mvhd"):
        raise Mp4Error("the file was not ended")
    size, rate, duration = (int(struct.unpack_from(">L", movie, offset)[0]) for offset in (0, 28, 32))
    if len(read_at(1, end + size - 1)) != 1 or not rate:
        raise Mp4Error("the end of the file is missing")
    return duration / rate


def read_tracks(read_at: ReadAt) -> Tracks:
    """Return the tracks of a recording, whether it was ended or not. Raises `Mp4Error`."""
    type_box = read_at(MARK_OFFSET, 0)
    size, kind = box_header(read_at, MARK_OFFSET + len(OPEN))
    if kind != b"moov" or size > _MAX_INIT:
        raise Mp4Error("the file has no moov")
    tracks = read(type_box + read_at(size, MARK_OFFSET + len(OPEN))).tracks
    if any(_ZEROS in data for data in tracks.sps + tracks.pps):
        raise Mp4Error("the parameter sets are damaged")
    return tracks


def whole_part(read_at: ReadAt) -> MovieIndex:
    """Return the index of all whole fragments from the beginning on. Raises `Mp4Error` if the tracks are unknown."""
    tracks = read_tracks(read_at)
    index = MovieIndex(tracks)
    number = 1
    while True:
        try:
            data = _fragment_at(read_at, index.end)
            content = read_fragment(data)
            if content.number != number or not _is_whole(content) or not index.fits(content):
                return index
        except Mp4Error:
            return index
        index.add(content, len(data))
        number += 1


def box_header(read_at: ReadAt, offset: int) -> tuple[int, bytes]:
    """Return size and type of the box at `offset`. Raises `Mp4Error`."""
    data = read_at(_HEADER, offset)
    if len(data) < _HEADER:
        raise Mp4Error("the file ends here")
    size, kind = struct.unpack(">L4s", data)
    if not _HEADER <= size <= _MAX_BOX:
        raise Mp4Error(f"a box has the size {size}")
    return size, kind


def is_picture(data: bytes) -> bool:
    """Return whether the NAL units add up to the sample, and none contains what only padding can."""
    position = 0
    for size in _sizes(data):
        end = position + 4 + size
        if not size or end > len(data) or data[position + 4] & 0x80 or data.find(_ZEROS, position + 4, end) >= 0:
            return False
        position = end
    return 0 < position == len(data)


def _fragment_at(read_at: ReadAt, offset: int) -> bytes:
    moof, _ = box_header(read_at, offset)
    mdat, _ = box_header(read_at, offset + moof)
    data = read_at(moof + mdat, offset)
    if len(data) < moof + mdat:
        raise Mp4Error("the fragment is incomplete")
    return data


def _is_whole(content: Fragment) -> bool:
    if not content.video and not content.audio:
        return False
    pictures = all(is_picture(sample.data) for sample in content.video)
    return pictures and all(sample.data.strip(b"\0") for sample in content.audio)


def _sizes(data: bytes) -> Iterable[int]:
    position = 0
    while position + 4 <= len(data):
        (size,) = struct.unpack_from(">L", data, position)
        yield size
        position += 4 + size
