"""Opens recordings for reading, and keeps the tables of those that do not change any more in memory."""

from __future__ import annotations

import logging
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from broadcaster.errors import RecordError
from broadcaster.media.mp4_fragments import FragmentTable, fragment_table
from broadcaster.media.mp4_mend import ReadAt
from broadcaster.media.mp4_reader import Mp4Error
from broadcaster.media.mp4_samples import read_samples
from broadcaster.model.recording import Recording, RecordingKind
from broadcaster.outputs.recording.film import File

log = logging.getLogger(__name__)

_MAX_TABLES = 2500
"""Tables of some 3 kB each: those of eight days of five minutes."""

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_recording(path: Path) -> int:
    """Return the descriptor of a regular file. Raises OSError."""
    descriptor = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(f"{path} is not a file")
    return descriptor


@contextmanager
def reading(path: Path) -> Iterator[ReadAt]:
    """Open a recording for reading inside the block. Raises `RecordError` if it cannot be read, or is damaged."""
    try:
        descriptor = open_recording(path)
    except OSError as error:
        raise RecordError(f"{path.name} cannot be read: {error.strerror or error}") from error
    try:
        yield partial(os.pread, descriptor)
    except OSError as error:
        raise RecordError(f"{path.name} cannot be read: {error.strerror or error}") from error
    except Mp4Error as error:
        raise RecordError(f"{path.name} is damaged: {error}") from error
    finally:
        os.close(descriptor)


class Tables:
    """The tables of recordings; use it in one thread."""

    def __init__(self, path: Callable[[Recording], Path]) -> None:
        self._path = path
        self._tables: OrderedDict[tuple[str, int], FragmentTable] = OrderedDict()
        self._unreadable: set[str] = set()

    def of(self, recording: Recording) -> FragmentTable:
        """Return the table of a recording. Raises `RecordError`."""
        key = recording.name, recording.size
        if recording.open or (table := self._tables.get(key)) is None:
            with reading(self._path(recording)) as read_at:
                table = fragment_table(read_samples(read_at))
        if not recording.open:
            self._tables[key] = table
            self._tables.move_to_end(key)
            if len(self._tables) > _MAX_TABLES:
                self._tables.popitem(last=False)
        return table

    def between(self, recordings: Iterable[Recording], start: float, end: float) -> list[File]:
        """Return the recordings of a time in Unix seconds with their tables.

        What cannot be read is left out, and so are timelapses, which play at another speed.
        """
        found = []
        for recording in recordings:
            ended = end if recording.open else recording.started + recording.duration
            if recording.broken or recording.kind is not RecordingKind.VIDEO:
                continue
            if recording.started >= end or ended < start:
                continue
            try:
                found.append((recording, self.of(recording)))
            except RecordError as error:
                if recording.name not in self._unreadable:
                    self._unreadable.add(recording.name)
                    log.warning("left out of films and clips: %s", error)
        return found
