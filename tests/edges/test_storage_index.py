"""The index fails while the folder works: recording goes on, and marks survive."""

import logging
import sqlite3
from contextlib import closing

import pytest

from broadcaster.storage.recordings.index import BROKEN, FILE, Index
from tests.edges.recording_rig import NOON, DiskRig

MARK = NOON + 3
"""In the first recording."""


@pytest.fixture
def rig(tmp_path):
    """One recording with a mark in it."""
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()
    rig.record()
    rig.disk.mark(MARK - NOON + rig.clock.monotonic() - 4)
    yield rig
    rig.disk.close()


@pytest.fixture
def warnings(caplog):
    return lambda: [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def marks(rig) -> list[float]:
    return [mark.at for mark in rig.disk.marks]


def locked(rig):
    """Return another program's transaction."""
    database = sqlite3.connect(rig.files.path / FILE, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    return closing(database)


def test_index_damaged_while_recording_is_made_again(rig, warnings):
    with (rig.files.path / FILE).open("r+b") as file:
        file.write(bytes(100))
    for _ in range(2):
        assert not rig.record().failed
    assert len(warnings()) == 1
    assert (rig.files.path / BROKEN).exists()
    rig.disk.close()
    index = Index(rig.files.path)
    assert [one.number for one in index.all()] == [1, 2, 3]
    assert [mark.at for mark in index.notes()[1]] == [MARK]
    index.close()


def test_index_locked_while_recording_is_written_later(rig, warnings):
    with locked(rig):
        for _ in range(2):
            assert not rig.record().failed
        rig.disk.mark(rig.clock.monotonic())
        assert len(warnings()) == 1
    before = rig.disk.recordings
    rig.disk.close()
    rig.restart()
    assert marks(rig) == [MARK, NOON + 12]
    assert rig.disk.recordings == before


def test_index_locked_at_the_start_is_kept(rig, warnings):
    boot = rig.disk.recordings[0].boot
    rig.disk.close()
    rig.limits = rig.limits.__class__(days=1)
    rig.clock.advance(48 * 3600)
    with locked(rig):
        rig.restart()
        assert not rig.record().failed
        assert [one.number for one in rig.disk.recordings] == [1, 2], "the old one may be marked"
        assert len(warnings()) == 1
    assert not rig.record().failed
    assert marks(rig) == [MARK]
    assert [one.number for one in rig.disk.recordings] == [1, 2, 3]
    rig.disk.close()
    rig.restart()
    assert marks(rig) == [MARK]
    assert rig.disk.recordings[0].boot == boot
    assert not (rig.files.path / BROKEN).exists()


def test_marks_of_an_index_with_strange_rows_are_saved(rig):
    rig.disk.close()
    with closing(sqlite3.connect(rig.files.path / FILE)) as database, database:
        database.execute("UPDATE recordings SET started = 'yesterday'")
    rig.restart()
    assert marks(rig) == [MARK]
    assert (rig.files.path / BROKEN).exists()


def test_each_change_is_flushed(rig):
    index = Index(rig.files.path)
    pragma = index._database.execute("PRAGMA synchronous").fetchone()
    index.close()
    assert pragma == (2,)
