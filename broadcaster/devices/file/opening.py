"""Opening a media file: regular files only, never without a deadline, and failures as sentences. Everything blocks."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from broadcaster import sandbox
from broadcaster.errors import SourceError, StreamReason
from broadcaster.settings.paths import without_password

log = logging.getLogger(__name__)

ANSWER_LIMIT = 5.0
"""Seconds for libav to open a file, or to read one packet, in as far as libav notices: not inside one read(2)."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device (video.source = v4l2 is for cameras)"),
    (stat.S_ISBLK, "a block device (mount it, and name a file on it)"),
)

_MOST_BOXES = 1000
"""Top-level boxes that are looked at: a fragmented recording has two for each second."""

Version = tuple[int, int, int]
"""Inode, size, and time of the last change: differs after a file was replaced or written to."""


def version_of(path: str) -> Version:
    """Return the version of a regular file. Raises `SourceError` if there is none, or something else than a file."""
    if "://" in path:
        raise _failure(without_password(path), "is a network address; only files on this machine can be played")
    try:
        status = os.stat(path)
    except OSError as error:
        raise _failure(path, f"{error.strerror or error}{sandbox.hint(path)}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(status.st_mode)), "something else")
        raise _failure(path, f"is no regular file but {kind}; only regular files can be played")
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def open_media(path: str, wanted: Version | None = None) -> Iterator[InputContainer]:
    """Open a media file, or only its `wanted` version.

    Errors of libav and of the operating system inside the block become `SourceError`.
    """
    version = version_of(path)
    if wanted not in (None, version):
        raise changed(path)
    try:
        # "file:", or libav takes what precedes a colon in the name for a protocol. Titles need not be valid UTF-8.
        with av.open(f"file:{path}", timeout=ANSWER_LIMIT, metadata_errors="replace") as container:
            if container.format.name == "hls" and container.duration is None:
                raise _failure(path, "is a playlist without an end (a live stream); only complete ones can be played")
            yield container
    except (av.FFmpegError, OSError) as error:
        raise explained(path, version, error) from error


def demuxed(path: str, container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Stream]]:
    """The packets of a file up to its end, or up to where it is damaged beyond libav's help, as ffmpeg plays it.

    Raises OSError if it is not the file that is damaged, but its storage that cannot be read.
    """
    try:
        yield from container.demux(list(streams))
    except av.error.InvalidDataError as error:
        _try_reading(path, os.stat(path).st_size)
        log.debug("%s: read only in part: %s", path, error)
    except IndexError:
        # PyAV has read everything, and stumbles over a stream that was not there at the beginning (recordings of TV).
        return


def explained(path: str, version: Version, error: Exception) -> SourceError:
    """Say what an error while reading a file of that version means; libav's own words often name a consequence."""
    if cause := storage_error(path, version):
        return cause
    if isinstance(error, av.error.ExitError):
        return _failure(path, f"no answer within {ANSWER_LIMIT:g} s; is its storage too slow, or disconnected?")
    if isinstance(error, av.error.InvalidDataError) and (incomplete := _incomplete(path)):
        return _failure(path, incomplete)
    return _failure(path, getattr(error, "strerror", None) or str(error))


def storage_error(path: str, version: Version) -> SourceError | None:
    """Return why a file of that version cannot be read any more; None if it can, and libav's complaint is about it."""
    try:
        if version_of(path) != version:
            return changed(path)
        _try_reading(path, version[1])
    except SourceError as cause:
        return cause
    except OSError as cause:
        return _failure(path, cause.strerror or str(cause))
    return None


def changed(path: str) -> SourceError:
    """Return what ends the playing of a file that is no longer the one that was looked into."""
    return _failure(path, "was replaced or changed while it was playing")


def _try_reading(path: str, size: int) -> None:
    """Read a byte here and there. Raises OSError: libav reports a failed read(2) as invalid data, or as the end."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for place in (0, size // 2, size - 1):
            os.pread(file, 1, max(0, place))
    finally:
        os.close(file)


def _incomplete(path: str) -> str:
    """What is missing of a file that libav calls invalid; empty if that is not known. Raises OSError."""
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
    """Types and ends of a file's top-level boxes (ISO/IEC 14496-12 §4.2), as far as it has such."""
    start = 0
    for _ in range(_MOST_BOXES):
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


def _failure(path: str, words: str) -> SourceError:
    return SourceError(StreamReason.FILE, f"{path}: {words}")
