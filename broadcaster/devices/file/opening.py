"""Opening of media files: regular files only, with a time limit, and with clear error messages. Everything blocks."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import Flags, InputContainer
from av.packet import Packet
from av.stream import Stream

from broadcaster import sandbox
from broadcaster.errors import SourceError, StreamReason
from broadcaster.settings.paths import without_password

log = logging.getLogger(__name__)

READ_TIMEOUT = 5.0
"""Seconds for libav to open a file or to read one packet; libav checks it only between calls of read(2)."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device (video.source = v4l2 is for cameras)"),
    (stat.S_ISBLK, "a block device (mount it, and name a file on it)"),
)

_MAX_BOXES = 1000
"""Top-level boxes that are examined: a fragmented recording has two per second."""

FileVersion = tuple[int, int, int]
"""Inode, size, and time of the last change: differs after a file was replaced or written to."""


def file_version(path: str) -> FileVersion:
    """Return the version of a regular file. Raises `SourceError` if it is missing or not a regular file."""
    if "://" in path:
        raise _failure(without_password(path), "is a network address; only files on this machine can be played")
    try:
        status = os.stat(path)
    except OSError as error:
        raise _failure(path, f"{error.strerror or error}{sandbox.hint(path)}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(status.st_mode)), "something else")
        raise _failure(path, f"is not a regular file but {kind}; only regular files can be played")
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def open_media(path: str, expected: FileVersion | None = None) -> Iterator[InputContainer]:
    """Open a media file; with `expected`, only if it still has that version.

    Errors of libav and of the operating system inside the block become `SourceError`.
    """
    version = file_version(path)
    if expected not in (None, version):
        raise changed_error(path)
    try:
        # With "file:", because libav takes what precedes a colon in the name for a protocol. Titles need not be UTF-8.
        with av.open(f"file:{path}", timeout=READ_TIMEOUT, metadata_errors="replace") as container:
            if container.format.name == "hls" and container.duration is None:
                raise _failure(path, "is a playlist without an end (a live stream); only complete ones can be played")
            # PyAV lets libav invent presentation times where a file has none (AVI), one picture late and out of order.
            container.flags &= ~Flags.gen_pts.value  # type: ignore[operator]  # stub
            yield container
    except (av.FFmpegError, OSError) as error:
        raise explain_error(path, version, error) from error


def demux(path: str, container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """Yield the packets of a file up to its end, or up to damage that libav cannot skip, as ffmpeg does.

    Raises OSError if the storage cannot be read.
    """
    try:
        yield from container.demux(list(streams))
    except av.error.InvalidDataError as error:
        _try_reading(path, os.stat(path).st_size)
        log.debug("%s: read only in part: %s", path, error)
    except IndexError:
        # PyAV has read everything, but fails on a stream that appeared midway (recordings of TV).
        return


def explain_error(path: str, version: FileVersion, error: Exception) -> SourceError:
    """Return the cause of an error while reading a file of that version; libav often reports only a consequence."""
    if cause := storage_error(path, version):
        return cause
    if isinstance(error, av.error.ExitError):
        return _failure(path, f"no answer within {READ_TIMEOUT:g} s; is its storage too slow, or disconnected?")
    if isinstance(error, av.error.InvalidDataError) and (missing := _missing_part(path)):
        return _failure(path, missing)
    return _failure(path, getattr(error, "strerror", None) or str(error))


def storage_error(path: str, version: FileVersion) -> SourceError | None:
    """Return why a file of that version cannot be read any more; None if it can, so that its content is at fault."""
    try:
        if file_version(path) != version:
            return changed_error(path)
        _try_reading(path, version[1])
    except SourceError as cause:
        return cause
    except OSError as cause:
        return _failure(path, cause.strerror or str(cause))
    return None


def changed_error(path: str) -> SourceError:
    """Return the error for a file that is not the one that was examined any more."""
    return _failure(path, "was replaced or changed while it was playing")


def _try_reading(path: str, size: int) -> None:
    """Read a byte at three offsets. Raises OSError: libav reports a failed read(2) as invalid data, or as the end."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for offset in (0, size // 2, size - 1):
            os.pread(file, 1, max(0, offset))
    finally:
        os.close(file)


def _missing_part(path: str) -> str:
    """Return what is missing of a file that libav calls invalid; empty if unknown. Raises OSError."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return "is empty"
        boxes = dict(_boxes(file, size))
    if b"ftyp" in boxes and b"moov" not in boxes:
        return "is incomplete: it has no index (moov), so its recording or copying was not finished"
    end = max(boxes.values()) if b"ftyp" in boxes else 0
    return "is incomplete: its end is missing, so its copying was not finished" if end > size else ""


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield type and end of each top-level box (ISO/IEC 14496-12 §4.2), as far as the file has valid ones."""
    start = 0
    for _ in range(_MAX_BOXES):
        if start >= size:
            return
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if not kind.isascii() or (length and length < 8):
            return
        start = start + length if length else size
        yield kind, start


def _failure(path: str, problem: str) -> SourceError:
    return SourceError(StreamReason.FILE, f"{path}: {problem}")
