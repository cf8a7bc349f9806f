"""Recordings on the disk: the folder, the files, the index, and what is left after a crash."""

import logging
import os
import shutil
import sqlite3
from dataclasses import replace

import pytest

from broadcaster.errors import RecordError
from broadcaster.model.recording import Gap, Mark, Recording
from broadcaster.outputs.recording.names import file_name
from broadcaster.outputs.recording.retention import Limits
from broadcaster.storage.recordings.folder import LOCK, Folder
from broadcaster.storage.recordings.index import FILE, Index
from broadcaster.storage.recordings.ledger import Ledger
from tests.edges.recording_rig import NOON, DiskRig
from tests.unit.recordings import needs_ffprobe, probe

HOUR = 3600
TEN_YEARS = 10 * 365 * 24 * HOUR


@pytest.fixture
def rig(tmp_path):
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()
    yield rig
    rig.disk.close()


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_files_are_numbered_and_named_after_their_time(rig):
    for _ in range(2):
        rig.record()
    assert rig.files.names() == ["000001_2026-03-01T12-00-00Z.mp4", "000002_2026-03-01T12-00-04Z.mp4"]
    assert rig.files.durations() == [pytest.approx(4, abs=0.03)] * 2
    assert [one.size for one in rig.disk.recordings] == [os.path.getsize(rig.files.path / n) for n in rig.files.names()]


@needs_ffprobe
def test_file_plays(rig):
    rig.record(5)
    (name,) = rig.files.names()
    found = probe(rig.files.path / name)
    assert [one["nb_read_frames"] for one in found["streams"]] == ["300", "500"]
    assert float(found["format"]["duration"]) == pytest.approx(10, abs=0.03)


@needs_ffprobe
def test_file_plays_while_it_is_written(rig):
    job = rig.begin()
    rig.write(job, 3)
    (name,) = rig.files.names()
    assert [one["nb_read_frames"] for one in probe(rig.files.path / name)["streams"]] == ["180", "300"]
    assert [one.open for one in rig.disk.recordings] == [True]


def test_file_without_a_chunk_leaves_nothing(rig):
    rig.record(0)
    assert not rig.files.names()
    assert not rig.disk.recordings


def test_recordings_are_known_after_a_restart(rig, caplog):
    rig.record()
    rig.record(kept=True)
    before = rig.disk.recordings
    rig.disk.close()
    caplog.clear()
    rig.restart()
    assert rig.disk.recordings == before
    assert [one.kept for one in before] == [False, True]
    assert not warnings(caplog)
    rig.record()
    assert rig.files.names()[-1].startswith("000003_")


def test_index_is_made_again_from_the_files(rig):
    for kept in (False, True):
        rig.record(kept=kept)
    before = rig.disk.recordings
    rig.disk.close()
    (rig.files.path / FILE).unlink()
    rig.restart()
    without_boot = [replace(one, boot="", started_at=0.0) for one in before]
    assert [replace(one, duration=0) for one in rig.disk.recordings] == [replace(o, duration=0) for o in without_boot]
    assert [one.duration for one in rig.disk.recordings] == [pytest.approx(one.duration, abs=0.001) for one in before]


@pytest.mark.parametrize("junk", [b"", b"junk" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_damaged_index_is_made_again(rig, junk):
    rig.record()
    rig.disk.close()
    (rig.files.path / FILE).write_bytes(junk)
    rig.restart()
    assert len(rig.disk.recordings) == 1
    rig.record()
    assert len(rig.disk.recordings) == 2


def test_index_with_strange_rows_is_made_again(rig):
    rig.record()
    rig.disk.close()
    with sqlite3.connect(rig.files.path / FILE) as database:
        database.execute("UPDATE recordings SET started = 'yesterday', number = NULL")
    database.close()
    rig.restart()
    assert [one.number for one in rig.disk.recordings] == [1]


def test_gaps_are_noted(rig, tmp_path):
    rig.disk.note_gap(rig.clock.monotonic(), rig.clock.monotonic() + 5)
    rig.disk.close()
    index = Index(rig.files.path)
    assert index.notes() == ((Gap(NOON, NOON + 5),), ())
    index.close()


def test_marks_are_noted_and_removed(rig):
    rig.record()
    at = rig.disk.mark(rig.clock.monotonic() - 1)
    assert at == NOON + 3
    rig.disk.mark(rig.clock.monotonic())
    rig.disk.close()
    rig.restart()
    assert [mark.at for mark in rig.disk.marks] == [NOON + 3, NOON + 4]
    rig.disk.remove_mark(NOON + 3.0004)
    with pytest.raises(RecordError, match="no such mark"):
        rig.disk.remove_mark(NOON + 3)
    assert [mark.at for mark in rig.disk.marks] == [NOON + 4]


def test_marked_file_goes_after_the_others_and_takes_its_mark_along(tmp_path):
    rig = DiskRig(tmp_path / "recordings")
    rig.disk.open()
    rig.disk.note_gap(rig.clock.monotonic() - 9, rig.clock.monotonic() - 5)
    rig.record()
    rig.disk.mark(rig.clock.monotonic() - 1)
    rig.record()
    sizes = [one.size for one in rig.disk.recordings]
    rig.limits = Limits(bytes=sizes[0] + 1)
    rig.disk.close()
    rig.restart()
    assert [one.number for one in rig.disk.recordings] == [1]
    assert len(rig.disk.marks) == 1
    assert not rig.disk.gaps
    rig.limits = Limits(bytes=1)
    rig.record()
    rig.disk.close()
    rig.restart()
    assert not rig.disk.recordings


def test_mark_set_before_the_clock_moves_with_the_recording(tmp_path):
    rig = DiskRig(tmp_path / "recordings", synchronized=False)
    rig.clock.jump(-NOON)
    rig.disk.open()
    job = rig.begin()
    rig.write(job)
    rig.disk.mark(rig.clock.monotonic() - 1)
    rig.clock.jump(NOON)
    rig.synchronized = True
    rig.write(job)
    (mark,), (recording,) = rig.disk.marks, rig.disk.recordings
    assert mark.at - recording.started == pytest.approx(1)
    assert recording.clock_set
    rig.disk.close()


def test_gap_noted_before_the_clock_was_set_moves_with_the_recordings(tmp_path):
    rig = DiskRig(tmp_path / "recordings", synchronized=False)
    rig.clock.jump(-NOON)
    rig.disk.open()
    rig.record()
    rig.disk.note_gap(rig.clock.monotonic() - 1, rig.clock.monotonic())
    rig.clock.jump(NOON)
    rig.synchronized = True
    for _ in range(2):
        rig.record()
    assert rig.disk.gaps == (Gap(NOON + 3, NOON + 4),)
    rig.disk.close()


def test_gaps_and_marks_are_bounded(tmp_path):
    folder = Folder(tmp_path)
    folder.open()
    ledger = Ledger(folder)
    ledger.note(marks=[Mark(float(number)) for number in range(10_500)])
    ledger.close()
    folder.close()
    index = Index(tmp_path)
    marks = index.notes()[1]
    assert (len(marks), marks[0].at) == (10_000, 500)
    index.close()


def test_interrupted_file_is_mended_at_the_next_start(rig, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rig.record()
    job = rig.begin()
    rig.write(job, 3)
    after = rig.after_crash(tmp_path / "after")
    assert after.files.durations() == [pytest.approx(4, abs=0.03), pytest.approx(6, abs=0.03)]
    assert "interrupted; mended" in caplog.text
    assert not any(one.open or one.broken for one in after.disk.recordings)
    after.record()
    assert len(after.files.durations()) == 3
    after.disk.close()


@pytest.mark.parametrize("index", [True, False])
def test_file_cut_anywhere_never_hides_the_others(rig, tmp_path, index):
    rig.record()
    job = rig.begin()
    rig.write(job, 2)
    size = os.path.getsize(rig.files.path / rig.files.names()[1])
    for number, cut in enumerate([0, 1, 31, 40, 48, 500, 800, 2000, size // 2 + 3000, size - 1]):
        path = tmp_path / str(number)
        shutil.copytree(rig.files.path, path)
        os.truncate(path / rig.files.names()[1], cut)
        if not index:
            (path / FILE).unlink()
        after = DiskRig(path)
        after.disk.open()
        after.record()
        playable = [one for one in after.disk.recordings if not one.broken]
        assert len(playable) == (3 if cut >= size // 2 else 2)
        assert len(after.disk.recordings) <= 3
        after.disk.close()


def test_damaged_file_is_marked_and_deleted_in_its_turn(rig, tmp_path):
    rig.record()
    rig.disk.close()
    (name,) = rig.files.names()
    (rig.files.path / name).write_bytes(bytes(5000))
    rig.limits = replace(rig.limits, bytes=4000)
    rig.disk = rig.make()
    rig.disk.open()
    assert not rig.disk.recordings
    assert not rig.files.names()


def test_zeros_at_the_end_are_cut_off(rig, tmp_path):
    job = rig.begin()
    rig.write(job, 2)
    (name,) = rig.files.names()
    with (rig.files.path / name).open("ab") as file:
        file.write(bytes(10_000))
    after = rig.after_crash(tmp_path / "after")
    assert after.files.durations() == [pytest.approx(4, abs=0.03)]
    after.disk.close()


def test_file_deleted_while_it_is_written_is_noticed(rig, caplog):
    job = rig.begin()
    rig.write(job)
    (rig.files.path / rig.files.names()[0]).unlink()
    rig.write(job)
    assert job.failed
    assert "deleted while it was written" in caplog.text
    rig.record()
    assert len(rig.files.durations()) == 1
    assert not rig.disk.problem
    assert len(rig.disk.recordings) == 1


def test_folder_deleted_while_recording_is_made_again(rig):
    rig.record()
    job = rig.begin()
    rig.write(job)
    shutil.rmtree(rig.files.path)
    rig.write(job)
    assert job.failed
    rig.record()
    assert rig.files.durations() == [pytest.approx(4, abs=0.03)]
    assert len(rig.disk.recordings) == 1


def test_names_of_strangers_and_symbolic_links_are_not_touched(tmp_path):
    rig = DiskRig(tmp_path / "recordings", bytes=1)
    rig.files.path.mkdir()
    outside = tmp_path / "outside.mp4"
    outside.write_bytes(b"precious")
    links = [file_name(7, NOON, kept=False), file_name(8, NOON, kept=False)]
    (rig.files.path / links[0]).symlink_to(outside)
    (rig.files.path / links[1]).symlink_to(tmp_path / "nothing")
    (rig.files.path / "film.mp4").write_bytes(b"mine")
    (rig.files.path / file_name(9, NOON, kept=False)).mkdir()
    os.mkfifo(rig.files.path / file_name(10, NOON, kept=False))
    (rig.files.path / os.fsdecode(b"\xff\xfe.mp4")).write_bytes(b"")
    (rig.files.path / FILE).symlink_to(outside)
    rig.disk.open()
    rig.record()
    rig.record()
    rig.disk.close()
    assert outside.read_bytes() == b"precious"
    assert not (tmp_path / "nothing").exists()
    assert (rig.files.path / "film.mp4").read_bytes() == b"mine"
    assert (rig.files.path / links[0]).is_symlink()
    assert [one.number for one in rig.disk.recordings] == [2]
    assert rig.files.names()[0] == "000002_2026-03-01T12-00-04Z.mp4"


def test_huge_number_of_a_stranger_is_not_continued(rig):
    rig.disk.close()
    (rig.files.path / file_name(10**12 - 1, NOON, kept=False)).touch()
    (rig.files.path / file_name(10**12 - 2, NOON, kept=False)).write_bytes(bytes(5000))
    rig.restart()
    rig.record()
    rig.disk.close()
    rig.restart()
    assert [one.number for one in rig.disk.recordings] == [1, 10**12 - 2]


def test_lock_file_that_is_a_link_is_refused(tmp_path, caplog):
    rig = DiskRig(tmp_path / "recordings")
    rig.files.path.mkdir()
    (rig.files.path / LOCK).symlink_to(tmp_path / "outside")
    rig.disk.open()
    assert rig.disk.problem
    assert not (tmp_path / "outside").exists()


def test_two_daemons_never_share_a_folder(rig, caplog):
    other = DiskRig(rig.files.path)
    other.disk.open()
    assert "another broadcaster records into" in other.disk.problem
    job = other.record()
    assert job.failed
    assert not rig.files.names()
    rig.disk.close()
    other.record()
    assert not other.disk.problem
    assert len(other.files.names()) == 1
    other.disk.close()
    rig.restart()


def test_limit_of_bytes_is_kept_within_one_file(tmp_path):
    rig = DiskRig(tmp_path, bytes=200_000)
    largest = 0
    for _ in range(12):
        job = rig.record(1)
        assert job.saved is not None
        largest = max(largest, os.path.getsize(tmp_path / job.saved.files[0]))
        assert sum(os.path.getsize(tmp_path / name) for name in rig.files.names()) <= 200_000 + largest
    assert rig.disk.recordings[-1].number == 12
    rig.disk.close()


def test_kept_files_that_fill_the_limit_stop_recording(tmp_path, caplog):
    rig = DiskRig(tmp_path, bytes=50_000)
    while not rig.record(kept=True).failed:
        pass
    assert "record.keep_bytes" in rig.disk.problem
    assert rig.record().failed
    assert len(warnings(caplog)) == 1
    assert all("_kept" in name for name in rig.files.names())
    rig.disk.close()


def test_disk_with_too_little_free_space_is_not_filled(tmp_path, caplog):
    rig = DiskRig(tmp_path, free=1 << 60)
    assert rig.record().failed
    assert "record.keep_free" in warnings(caplog)[0]
    assert not rig.files.names()
    rig.disk.close()


def test_old_files_are_deleted(tmp_path):
    rig = DiskRig(tmp_path, days=1)
    rig.record()
    rig.record(kept=True)
    rig.clock.advance(25 * HOUR)
    rig.record()
    assert [one.number for one in rig.disk.recordings] == [2, 3]
    rig.disk.close()


@pytest.mark.parametrize("jump", [HOUR, -HOUR, TEN_YEARS, -TEN_YEARS])
def test_clock_that_jumps_deletes_nothing_and_keeps_the_order(tmp_path, jump):
    rig = DiskRig(tmp_path, synchronized=False, days=7)
    rig.record()
    job = rig.begin()
    rig.write(job)
    rig.clock.jump(jump)
    rig.write(job)
    rig.disk.end(job)
    rig.record()
    assert [one.number for one in rig.disk.recordings] == [1, 2, 3]
    assert rig.files.durations() == [pytest.approx(4, abs=0.03)] * 3
    rig.disk.close()


def test_times_are_corrected_when_the_clock_is_set(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rig = DiskRig(tmp_path, synchronized=False)
    rig.clock.jump(-NOON)
    rig.record()
    job = rig.begin()
    rig.write(job)
    assert rig.files.names() == ["000001_1970-01-01T00-00-00Z.mp4", "000002_1970-01-01T00-00-04Z.mp4"]
    rig.clock.jump(NOON)
    rig.synchronized = True
    rig.write(job)
    assert rig.files.names() == ["000001_2026-03-01T12-00-00Z.mp4", "000002_2026-03-01T12-00-04Z.mp4"]
    assert "times of 2 recordings are corrected" in caplog.text
    rig.disk.end(job)
    assert [(one.name, one.open, one.clock_set) for one in rig.disk.recordings] == [
        (name, False, True) for name in rig.files.names()
    ]
    rig.record()
    assert rig.files.names()[2] == "000003_2026-03-01T12-00-08Z.mp4"
    before = rig.disk.recordings
    rig.disk.close()
    rig.restart()
    assert rig.disk.recordings == before
    rig.disk.close()


@pytest.mark.parametrize("restarted", [False, True])
def test_times_are_corrected_if_the_clock_is_set_between_two_files(tmp_path, restarted):
    rig = DiskRig(tmp_path, synchronized=False)
    rig.clock.jump(-NOON)
    rig.record()
    if restarted:
        rig.disk.close()
    rig.clock.jump(NOON)
    rig.synchronized = True
    if restarted:
        rig.restart()
    rig.record()
    assert rig.files.names() == ["000001_2026-03-01T12-00-00Z.mp4", "000002_2026-03-01T12-00-04Z.mp4"]
    rig.disk.close()


def test_ten_thousand_files_and_a_broken_one(tmp_path, caplog):
    rig = DiskRig(tmp_path)
    rig.record(1)
    (name,) = rig.files.names()
    rig.disk.close()
    for number in range(2, 10_001):
        os.link(tmp_path / name, tmp_path / file_name(number, NOON + number * 300, kept=False))
    (tmp_path / file_name(5000, NOON, kept=False)).write_bytes(b"junk" * 5000)
    (tmp_path / FILE).unlink()
    rig.restart()
    assert [one.number for one in rig.disk.recordings] == sorted([*range(1, 10_001), 5000])
    assert [one.number for one in rig.disk.recordings if one.broken] == [5000]
    before = rig.disk.recordings
    rig.disk.close()
    rig.restart()
    assert rig.disk.recordings == before
    rig.record()
    assert rig.disk.recordings[-1].number == 10_001
    rig.disk.close()


def test_recordings_of_another_boot_are_not_corrected(tmp_path):
    rig = DiskRig(tmp_path, synchronized=False)
    rig.record()
    rig.disk.close()
    index = Index(tmp_path)
    (recording,) = index.all()
    index.put(replace(recording, boot="another"))
    index.close()
    rig.restart()
    rig.synchronized = True
    rig.clock.jump(TEN_YEARS)
    rig.record()
    assert rig.files.names()[0] == recording.name
    rig.disk.close()


def test_index_returns_what_was_stored(tmp_path):
    index = Index(tmp_path)
    recordings = [
        Recording(1, "a", 1.5, 2.5, 3, kept=True, boot="x", started_at=4.5),
        Recording(2**60, "ä'\"", -1.0, open=True, broken=True, clock_set=False),
    ]
    for recording in recordings:
        index.put(recording)
    assert index.all() == recordings
    index.put(replace(recordings[0], name="b"), instead_of=["a"])
    assert [one.name for one in index.all()] == ["b", "ä'\""]
    index.put(instead_of=["b", "none"])
    assert index.all() == recordings[1:]
    index.close()
