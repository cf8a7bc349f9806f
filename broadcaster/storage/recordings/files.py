"""Files of recordings: they play whenever the power goes, are ended in place, and mended after a power cut."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial

from broadcaster.media.mp4_mend import whole_part
from broadcaster.media.mp4_plain import MARK_OFFSET, OPEN, MovieIndex, closed, header
from broadcaster.media.mp4_reader import Mp4Error
from broadcaster.outputs.recording.muxer import SegmentMuxer
from broadcaster.ports.recording import Chunk, Segment
from broadcaster.storage.recordings.folder import Folder

_MAX_EMPTY = 16 << 20
"""Bytes; a file without one whole fragment is smaller, unless it is damaged in another way."""
_MIN_FILE = 4096
"""Bytes; no file with a picture in it is smaller."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The duration of a file in seconds, and its size in bytes."""

    duration: float
    size: int


class RecordingFile:
    """One file while it is written: one write and one flush per chunk. All methods raise OSError."""

    def __init__(self, folder: Folder, name: str, segment: Segment) -> None:
        self.name = name
        self._folder = folder
        self._muxer = SegmentMuxer(segment)
        self._descriptor = folder.create(name)
        self._is_new = True

    @property
    def extent(self) -> Extent:
        """What has been written."""
        return Extent(self._muxer.index.duration, self._muxer.index.end)

    @property
    def size(self) -> int:
        """Bytes that have been written."""
        return self._muxer.index.end

    def write(self, chunk: Chunk, *, flush: bool) -> None:
        """Append a chunk; with `flush` it survives a power cut."""
        part = self._muxer.part(chunk)
        if part is None:
            return
        _write_at(self._descriptor, part.data, 0 if self._is_new else self._muxer.index.end)
        self._muxer.written(part)
        if flush:
            os.fdatasync(self._descriptor)
        if self._is_new:
            self._folder.sync()
            self._is_new = False
        if self._is_deleted():
            raise FileNotFoundError(f"{self.name} was deleted while it was written")

    def end(self) -> bool:
        """End the file where its last whole chunk ends; return false, and delete it, if there is none."""
        try:
            if self._is_new or self._is_deleted():
                self._folder.delete(self.name)
                return False
            _end(self._descriptor, self._muxer.index)
            return True
        finally:
            os.close(self._descriptor)

    def _is_deleted(self) -> bool:
        return os.fstat(self._descriptor).st_nlink == 0


def mend(folder: Folder, name: str) -> Extent | None:
    """End a file that a power cut has left where its last whole fragment ends.

    Return None if there is none, and the file was deleted. Raises `Mp4Error` if the file cannot be mended, and OSError.
    """
    descriptor = folder.open_file(name)
    try:
        index = _whole_part(descriptor)
        if index is None:
            folder.delete(name)
            return None
        _write_at(descriptor, header(index.tracks), 0)
        _end(descriptor, index)
        return Extent(index.duration, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def playable(folder: Folder, name: str) -> float:
    """Return the seconds of video in a file that was not ended. Raises `Mp4Error` if there are none, and OSError."""
    descriptor = folder.open_file(name, os.O_RDONLY)
    try:
        index = _whole_part(descriptor)
    finally:
        os.close(descriptor)
    if index is None:
        raise Mp4Error("it is empty")
    return index.duration


def _whole_part(descriptor: int) -> MovieIndex | None:
    """Return the index of the whole fragments; None if the power was cut before the first one. Raises `Mp4Error`."""
    read_at, size = partial(os.pread, descriptor), os.fstat(descriptor).st_size
    if size < _MIN_FILE:
        return None
    index = whole_part(read_at)
    if index.duration:
        return index
    start, after_mark = header(index.tracks), MARK_OFFSET + len(OPEN)
    if size <= _MAX_EMPTY and read_at(len(start), 0)[after_mark:] == start[after_mark:]:
        return None
    raise Mp4Error("there is no whole fragment in it")


def _end(descriptor: int, index: MovieIndex) -> None:
    """Append the index, and then make the file a plain MP4; each step is flushed before the next one."""
    os.ftruncate(descriptor, index.end)
    try:
        _write_at(descriptor, index.movie(), index.end)
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, index.end)  # it plays without, too
        raise
    _write_at(descriptor, closed(index.end), MARK_OFFSET)
    os.fdatasync(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data`."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(descriptor, rest, offset)
        offset += count
        rest = rest[count:]
