"""The index of the recordings: what the files themselves do not tell, and what would take long to read from them.

It is in the same folder. If it is deleted, names, times and durations are read from the files again; marks, gaps, and
the times of files that began before the clock was set, are lost.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from broadcaster.model.recording import Gap, Mark, Recording, RecordingKind

log = logging.getLogger(__name__)

FILE = ".index.sqlite"
BROKEN = f"{FILE}.broken"
"""The last index that was damaged."""
_COLUMNS = tuple(field.name for field in fields(Recording))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS recordings ({", ".join(_COLUMNS)}, PRIMARY KEY (name));
CREATE TABLE IF NOT EXISTS gaps (started REAL, ended REAL);
CREATE TABLE IF NOT EXISTS marks (at REAL, monotonic REAL, boot TEXT, PRIMARY KEY (at));
"""
# Marks are nowhere else, so each change is flushed, with TRUNCATE also the end of its journal: a few times per file.
_PRAGMAS = "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
_VERSION = 2
_LATER_TIMEOUT = 200
"""Milliseconds to wait, once it is open, while another program has locked it: files are being written meanwhile."""


_Notes = tuple[tuple[Gap, ...], tuple[Mark, ...]]


class IndexDamaged(OSError):
    """The file is no index any more, unlike one that is locked or cannot be written just now."""


class Index:
    """The recordings and the gaps between them, in SQLite; use it in one thread. All methods raise OSError."""

    def __init__(self, folder: Path, timeout: float = 5.0) -> None:
        """Open the index, or make an empty one if there is none; a damaged one is renamed, and its marks are saved.

        `timeout`: seconds to wait here while another program has locked it.
        """
        self._path = folder / FILE
        self._timeout = timeout
        try:
            self._database = self._open()
        except IndexDamaged as error:
            log.warning("the index of the recordings is damaged (%s); making it again from the files", error)
            gaps, marks = self._readable_notes()
            set_aside(folder)
            self._database = self._open()
            self.rewrite((), gaps, marks)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def all(self) -> list[Recording]:
        """Return all recordings in the order of their numbers."""
        with _errors():
            return _recordings(self._database)

    def put(self, *recordings: Recording, instead_of: Iterable[str] = ()) -> None:
        """Store recordings, and remove those with other names."""
        with _errors(), self._database:
            self._database.executemany("DELETE FROM recordings WHERE name = ?", [(name,) for name in instead_of])
            self._put(recordings)

    def notes(self) -> _Notes:
        """Return the gaps and the marks, oldest first."""
        with _errors():
            return _gaps(self._database), _marks(self._database)

    def put_notes(self, gaps: Iterable[Gap], marks: Iterable[Mark]) -> None:
        """Store all gaps and marks, instead of those that were there."""
        with _errors(), self._database:
            self._put_notes(gaps, marks)

    def rewrite(self, recordings: Iterable[Recording], gaps: Iterable[Gap], marks: Iterable[Mark]) -> None:
        """Store all of these instead of what was there."""
        with _errors(), self._database:
            self._database.execute("DELETE FROM recordings")
            self._put(recordings)
            self._put_notes(gaps, marks)

    def _put(self, recordings: Iterable[Recording]) -> None:
        columns = ", ".join(f":{name}" for name in _COLUMNS)
        self._database.executemany(f"INSERT OR REPLACE INTO recordings VALUES ({columns})", map(asdict, recordings))

    def _put_notes(self, gaps: Iterable[Gap], marks: Iterable[Mark]) -> None:
        self._database.execute("DELETE FROM gaps")
        self._database.executemany("INSERT INTO gaps VALUES (?, ?)", map(astuple, gaps))
        self._database.execute("DELETE FROM marks")
        self._database.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", map(astuple, marks))

    def _open(self) -> sqlite3.Connection:
        """Return the database, which is not written to unless it is new: the disk may be read-only."""
        if self._path.is_symlink():
            self._path.unlink()
        with contextlib.ExitStack() as on_error, _errors():
            database = sqlite3.connect(self._path, self._timeout)
            on_error.callback(database.close)
            database.executescript(_PRAGMAS)
            (found,) = database.execute("PRAGMA quick_check").fetchone()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if found != "ok" or version not in (0, _VERSION):
                raise ValueError(found if found != "ok" else f"version {version}")
            if version == 0:
                database.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
            _recordings(database), _gaps(database), _marks(database)
            database.execute(f"PRAGMA busy_timeout = {_LATER_TIMEOUT}")
            on_error.pop_all()
        return database

    def _readable_notes(self) -> _Notes:
        """Return the gaps and marks of a damaged index, if they can be read."""
        with (
            contextlib.suppress(sqlite3.Error, TypeError, ValueError),
            contextlib.closing(sqlite3.connect(self._path, self._timeout)) as database,
        ):
            return _gaps(database), _marks(database)
        return (), ()


def set_aside(folder: Path) -> None:
    """Rename a damaged index to `BROKEN`. Raises OSError."""
    for suffix in ("-journal", "-wal", "-shm"):
        (folder / f"{FILE}{suffix}").unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        (folder / FILE).replace(folder / BROKEN)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Let errors of SQLite, and strange rows, be OSError."""
    try:
        yield
    except sqlite3.Error as error:
        # Of these two kinds, sqlite3 raises the plain one for SQLITE_CORRUPT and SQLITE_NOTADB.
        kind = IndexDamaged if type(error) is sqlite3.DatabaseError else OSError
        raise kind(f"the index of the recordings cannot be used: {error}") from error
    except (TypeError, ValueError) as error:
        raise IndexDamaged(str(error)) from error


def _recordings(database: sqlite3.Connection) -> list[Recording]:
    rows = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM recordings ORDER BY number, name")
    return [_recording(row) for row in rows]


def _recording(row: tuple[Any, ...]) -> Recording:
    """Return the recording of a row. Raises TypeError and ValueError if the row is damaged."""
    values = {
        field.name: _CONVERSIONS[str(field.type)](value) for field, value in zip(fields(Recording), row, strict=True)
    }
    return Recording(**values)


def _gaps(database: sqlite3.Connection) -> tuple[Gap, ...]:
    rows = database.execute("SELECT started, ended FROM gaps ORDER BY started")
    return tuple(Gap(float(start), float(end)) for start, end in rows)


def _marks(database: sqlite3.Connection) -> tuple[Mark, ...]:
    rows = database.execute("SELECT at, monotonic, boot FROM marks ORDER BY at")
    return tuple(Mark(float(at), float(monotonic), str(boot)) for at, monotonic, boot in rows)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int": int, "float": float, "bool": bool, "str": str, "RecordingKind": RecordingKind
}  # fmt: skip
