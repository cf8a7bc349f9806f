"""The file of a clip while parts of recordings are copied into it: it becomes a recording like all others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import FileIO

from broadcaster.errors import RecordError
from broadcaster.media.mp4_join import Join
from broadcaster.media.mp4_mend import ReadAt
from broadcaster.media.mp4_moved import moved_fragments
from broadcaster.media.mp4_plain import MARK_OFFSET, closed, header
from broadcaster.media.mp4_samples import read_samples
from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.outputs.recording.film import FilmPart, pause_between

_BLOCK = 1 << 20
_MAX_HEADER = 1 << 12
_FLUSH_EVERY = 4 << 20
"""Bytes between two flushes: the recorder, which flushes every two seconds, must not wait long for what is copied."""


def clip_size(parts: Sequence[FilmPart]) -> int:
    """Return about how many bytes a clip of these parts has."""
    content = sum(part.span.size for part in parts)
    return content + content // 50 + _MAX_HEADER


class ClipFile:
    """A new file, open for writing: its header, the fragments of the parts, and the index.

    All methods raise `RecordError` if the file cannot be written. `on_progress` is called after each step that the disk
    has done; it raises an error to end the copying.
    """

    def __init__(self, file: FileIO, parts: Sequence[FilmPart], on_progress: Callable[[], None]) -> None:
        self._file = file
        self._on_progress = on_progress
        self._join = Join()
        self._before: FilmPart | None = None
        has_audio = any(part.table.has_audio for part in parts)
        start = header(replace(parts[0].table.tracks, audio=has_audio))
        self._header = len(start)
        self._fragments = 0
        self._size = self._flushed = 0
        self._append(start)

    @property
    def duration(self) -> float:
        """The duration of what has been copied, in seconds."""
        return self._join.duration

    def add(self, part: FilmPart, read_at: ReadAt) -> None:
        """Copy a part of a recording. Raises `Mp4Error` and `RecordError`, too."""
        span, before = part.span, self._before
        begins = self._join.add(read_samples(read_at), span, 0.0 if before is None else pause_between(before, part))
        shift = round((begins - span.time) * VIDEO_RATE)
        end = span.offset + span.size
        for fragment in moved_fragments(read_at, span.offset, end, shift, self._fragments + 1):
            self._append(fragment.moof)
            self._copy(read_at, fragment.offset, fragment.size)
            self._fragments += 1
        self._before = part

    def end(self) -> None:
        """Append the index, and make the file a plain MP4, which is on the disk then."""
        end = self._size
        self._append(self._join.index_behind(self._header))
        with _writing():
            os.pwrite(self._file.fileno(), closed(end), MARK_OFFSET)
            os.fsync(self._file.fileno())
        self._on_progress()

    def _copy(self, read_at: ReadAt, offset: int, size: int) -> None:
        end = offset + size
        while offset < end:
            data = read_at(min(_BLOCK, end - offset), offset)
            if not data:
                raise RecordError("a recording became shorter while it was copied")
            self._append(data)
            offset += len(data)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        with _writing():
            while rest:
                count = self._file.write(rest)
                self._size += count
                rest = rest[count:]
            if self._size - self._flushed >= _FLUSH_EVERY:
                os.fdatasync(self._file.fileno())
                self._flushed = self._size
        self._on_progress()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Raise `RecordError` if the disk fails inside the block."""
    try:
        yield
    except OSError as error:
        raise RecordError(f"the clip cannot be written: {error.strerror or error}") from error
