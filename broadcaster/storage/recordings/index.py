"""The index of the recordings: what the files themselves do not tell, and what would take long to read from them.

It is in the same folder, and can be deleted at any time: it is made again from the files.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

from broadcaster.model.recording import Gap, Mark, Recording, RecordingKind

log = logging.getLogger(__name__)

FILE = ".index.sqlite"
_COLUMNS = tuple(field.name for field in fields(Recording))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS recordings ({", ".join(_COLUMNS)}, PRIMARY KEY (name));
CREATE TABLE IF NOT EXISTS gaps (started REAL, ended REAL);
CREATE TABLE IF NOT EXISTS marks (at REAL, monotonic REAL, boot TEXT, PRIMARY KEY (at));
"""
# Flushing is not needed: after a power cut, the index is checked against the files or made again.
_PRAGMAS = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
_VERSION = 2
_MAX_ROWS = 10_000
"""Gaps and marks that are kept, each."""


class Index:
    """The recordings and the gaps between them, in SQLite; use it in one thread."""

    def __init__(self, folder: Path) -> None:
        """Open the index, or make an empty one if there is none or it is damaged. Raises OSError."""
        self._path = folder / FILE
        try:
            self._database = self._open()
        except (sqlite3.Error, TypeError, ValueError) as error:
            log.warning("the index of the recordings is damaged (%s); making it again from the files", error)
            self._remove()
            try:
                self._database = self._open()
            except sqlite3.Error as again:
                raise OSError(f"the index of the recordings cannot be written: {again}") from again

    def close(self) -> None:
        """Close the file; idempotent."""
        self._database.close()

    def all(self) -> list[Recording]:
        """Return all recordings in the order of their numbers."""
        rows = self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM recordings ORDER BY number, name")
        return [_recording(row) for row in rows]

    def put(self, recording: Recording, *, instead_of: str = "") -> None:
        """Store a recording, which may have had another name."""
        values = asdict(recording)
        with self._changing():
            if instead_of:
                self._database.execute("DELETE FROM recordings WHERE name = ?", (instead_of,))
            marks = ", ".join(f":{name}" for name in _COLUMNS)
            self._database.execute(f"INSERT OR REPLACE INTO recordings VALUES ({marks})", values)

    def remove(self, *names: str) -> None:
        """Remove recordings."""
        with self._changing():
            self._database.executemany("DELETE FROM recordings WHERE name = ?", [(name,) for name in names])

    def add_gap(self, started: float, ended: float) -> None:
        """Note that what was captured between these times, in Unix seconds, is lost."""
        with self._changing():
            self._database.execute("INSERT INTO gaps VALUES (?, ?)", (started, ended))
            self._limit("gaps", "started")

    def gaps(self) -> tuple[Gap, ...]:
        """Return the gaps, oldest first."""
        return _gaps(self._database)

    def put_marks(self, *marks: Mark, instead_of: Iterable[float] = ()) -> None:
        """Store marks, some of which may have had other times."""
        with self._changing():
            self._database.executemany("DELETE FROM marks WHERE at = ?", [(at,) for at in instead_of])
            self._database.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", map(astuple, marks))
            self._limit("marks", "at")

    def marks(self) -> tuple[Mark, ...]:
        """Return the marks, oldest first."""
        return _marks(self._database)

    def forget_before(self, moment: float) -> None:
        """Remove gaps and marks that are older than any recording, which began at this moment in Unix seconds."""
        with self._changing():
            self._database.execute("DELETE FROM gaps WHERE ended < ?", (moment,))
            self._database.execute("DELETE FROM marks WHERE at < ?", (moment,))

    def _limit(self, table: str, order: str) -> None:
        """Remove the oldest rows of a table, if there are too many."""
        newest = f"SELECT rowid FROM {table} ORDER BY {order} DESC LIMIT {_MAX_ROWS}"
        self._database.execute(f"DELETE FROM {table} WHERE rowid NOT IN ({newest})")

    @contextlib.contextmanager
    def _changing(self) -> Any:
        """Make one transaction of the block; errors of SQLite become OSError, as the disk is their reason."""
        try:
            with self._database:
                yield
        except sqlite3.Error as error:
            raise OSError(f"the index of the recordings cannot be written: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._path.is_symlink():
            self._path.unlink()
        with contextlib.ExitStack() as on_error:
            database = sqlite3.connect(self._path)
            on_error.callback(database.close)
            database.executescript(_PRAGMAS)
            (found,) = database.execute("PRAGMA quick_check").fetchone()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if found != "ok" or version not in (0, _VERSION):
                raise ValueError(found if found != "ok" else f"version {version}")
            database.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
            for row in database.execute(f"SELECT {', '.join(_COLUMNS)} FROM recordings"):
                _recording(row)
            _gaps(database), _marks(database)
            on_error.pop_all()
        return database

    def _remove(self) -> None:
        for name in (FILE, f"{FILE}-journal", f"{FILE}-wal", f"{FILE}-shm"):
            self._path.with_name(name).unlink(missing_ok=True)


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
