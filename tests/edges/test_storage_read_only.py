"""Folders that cannot be written when the daemon starts: what is in them is listed and plays, and is mended later."""

import errno
import os
from functools import partial

import pytest

from broadcaster.storage.recordings.index import FILE
from tests.edges.recording_rig import DiskRig


@pytest.fixture
def rig(tmp_path):
    """An ended file, and one that a power cut has interrupted."""
    before = DiskRig(tmp_path / "before")
    before.disk.open()
    before.record()
    before.write(before.begin(), 3)
    rig = before.after_crash(tmp_path / "recordings")
    rig.disk.close()
    os.unlink(rig.files.path / rig.files.names()[1])
    name = before.files.names()[1]
    (rig.files.path / name).write_bytes((before.files.path / name).read_bytes())
    before.disk.close()
    yield rig
    rig.disk.close()


class Writing:
    """Stands in for a disk: lets system calls that write fail with an error number."""

    def __init__(self, monkeypatch) -> None:
        self.error = 0
        for name in ("open", "pwrite", "ftruncate", "rename", "unlink"):
            monkeypatch.setattr(os, name, self._failing(getattr(os, name), is_open=name == "open"))

    def _failing(self, call, *, is_open):
        def wrapper(*args, **options):
            writes = not is_open or args[1] & (os.O_WRONLY | os.O_RDWR)
            if self.error and writes and not (is_open and self.error == errno.ENOSPC):
                raise OSError(self.error, os.strerror(self.error))
            return call(*args, **options)

        return wrapper


@pytest.fixture
def writing(monkeypatch, rig):
    return Writing(monkeypatch)


def kinds(rig) -> list[tuple[float, bool, bool]]:
    return [(round(one.duration), one.open, one.broken) for one in rig.disk.recordings]


def test_read_only_folder_is_listed_and_recording_fails_with_the_reason(rig, writing):
    writing.error = errno.EROFS
    rig.restart()
    assert kinds(rig) == [(4, False, False), (6, False, False)]
    assert rig.disk.problem == "Read-only file system"
    assert rig.record().failed
    for change in (partial(rig.disk.delete, rig.files.names()[0]), partial(rig.disk.mark, 1.0)):
        with pytest.raises(OSError, match="Read-only"):
            change()
    writing.error = 0
    assert not rig.record().failed
    assert rig.files.durations() == [pytest.approx(seconds, abs=0.03) for seconds in (4, 6, 4)]
    assert not rig.disk.problem


def test_read_only_folder_of_another_daemon_is_not_written_later(rig, writing):
    with (rig.files.path / rig.files.names()[0]).open("ab") as file:
        file.write(bytes(1))  # so that the index should be changed
    index = (rig.files.path / FILE).read_bytes()
    writing.error = errno.EROFS
    rig.restart()
    assert (rig.files.path / FILE).read_bytes() == index
    writing.error = 0
    other = DiskRig(rig.files.path)
    other.disk.open()
    assert rig.record().failed
    assert "another broadcaster" in rig.disk.problem
    other.record()
    other.disk.mark(other.clock.monotonic() - 1)
    other.disk.close()
    assert not rig.record().failed
    assert [one.number for one in rig.disk.recordings] == [1, 2, 3, 4]
    assert len(rig.disk.marks) == 1


def test_file_interrupted_on_a_full_disk_plays_and_is_mended_when_there_is_room(rig, writing):
    sizes = [os.path.getsize(rig.files.path / name) for name in rig.files.names()]
    writing.error = errno.ENOSPC
    rig.restart()
    assert kinds(rig) == [(4, False, False), (6, False, False)]
    assert [one.size for one in rig.disk.recordings] == sizes, "keep_bytes counts it"
    writing.error = 0
    rig.record()
    assert rig.files.durations() == [pytest.approx(seconds, abs=0.03) for seconds in (4, 6, 4)]
    assert rig.disk.recordings[1].size == os.path.getsize(rig.files.path / rig.files.names()[1])


def test_files_being_written_count_for_keep_bytes(tmp_path):
    rig = DiskRig(tmp_path, bytes=1)
    long = rig.begin()
    rig.write(long, 3)
    rig.disk.limits = rig.limits.__class__(bytes=rig.disk.written + 1)
    rig.record(1)
    rig.record(1)
    assert [one.number for one in rig.disk.recordings] == [1, 3]
    rig.disk.close()
