"""Fragments of a recording at another time, for films of several files: only the times in them change."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from broadcaster.media.mp4 import VIDEO_TRACK
from broadcaster.media.mp4_mend import ReadAt, box_header
from broadcaster.media.mp4_reader import Box, Mp4Error, boxes
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE

_HEADER = 8
_MAX_MOOF = 1 << 20
_FULL_BOX = 4
"""Bytes of version and flags."""


@dataclass(frozen=True, slots=True)
class MovedFragment:
    """The `moof` of a fragment, and where the `mdat` that follows it is in the file."""

    moof: bytes
    offset: int
    size: int


def moved_fragments(read_at: ReadAt, begin: int, end: int, shift: int, number: int = 0) -> Iterator[MovedFragment]:
    """Yield the fragments between two offsets, `shift` later in ticks of the video.

    They are numbered from `number` on; 0 keeps their numbers. Raises `Mp4Error`.
    """
    offset = begin
    while offset < end:
        size, kind = box_header(read_at, offset)
        data_size, data_kind = box_header(read_at, offset + size)
        following = offset + size + data_size
        if (kind, data_kind) != (b"moof", b"mdat") or size > _MAX_MOOF or following > end:
            raise Mp4Error("there is no fragment at that place")
        moof = bytearray(read_at(size, offset))
        _move(moof, shift, number)
        yield MovedFragment(bytes(moof), offset + size, data_size)
        offset = following
        number += bool(number)


def _move(moof: bytearray, shift: int, number: int) -> None:
    """Change the times in a `moof`, and its number unless that is 0."""
    box = next(boxes(memoryview(bytes(moof))), None)
    if box is None:
        raise Mp4Error("a fragment is incomplete")
    position = _HEADER
    for inner in boxes(box.content):
        if inner.kind == b"mfhd" and number:
            inner.fields(">L", _FULL_BOX)  # is there
            struct.pack_into(">L", moof, position + _HEADER + _FULL_BOX, number & 0xFFFFFFFF)
        elif inner.kind == b"traf":
            _move_run(moof, inner, position + _HEADER, shift)
        position += _HEADER + len(inner.content)


def _move_run(moof: bytearray, run: Box, position: int, shift: int) -> None:
    (track,) = run.child(b"tfhd").fields(">L", _FULL_BOX)
    ticks = shift if track == VIDEO_TRACK else round(shift * AUDIO_RATE / VIDEO_RATE)
    for inner in boxes(run.content):
        if inner.kind == b"tfdt":
            (time,) = inner.fields(">Q", _FULL_BOX)
            struct.pack_into(">Q", moof, position + _HEADER + _FULL_BOX, max(time + ticks, 0) & ((1 << 64) - 1))
        position += _HEADER + len(inner.content)
