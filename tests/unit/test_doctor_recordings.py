"""`broadcaster check recordings`: a real folder, and what is said about others."""

from dataclasses import replace

import pytest

from broadcaster.doctor.checks import recordings
from broadcaster.doctor.checks.recordings import FolderState, bytes_a_day, evaluate, read_folder
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import Level
from broadcaster.settings import RecordSettings, Settings
from tests.rigs.doctor import FakeMachine, write

SETTINGS = Settings(record=RecordSettings(mode="live", keep_free=1_000_000_000))
GOOD = FolderState("/data", 100_000_000_000, 0.1)


def test_folder_is_measured_and_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "TEST_TIME", 0.05)
    state = read_folder(Machine(), tmp_path / "not" / "there", 10_000)
    assert not state.error
    assert state.free > 0
    assert state.flush > 0
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_to(monkeypatch):
    state = read_folder(Machine(), recordings.Path("/proc/recordings"), 10_000)
    result = evaluate(state, SETTINGS)
    assert result.level is Level.BROKEN
    assert result.found.startswith("/proc/recordings cannot be written to: ")
    assert "'ReadWritePaths=\"-/proc/recordings\"'" in result.fix


def test_sd_card_is_recognized(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "TEST_TIME", 0.0)
    device = tmp_path.stat().st_dev
    number = f"{recordings.os.major(device)}:{recordings.os.minor(device)}"
    write(tmp_path, f"sys/dev/block/{number}/uevent", "MAJOR=179\nMINOR=2\nDEVNAME=mmcblk0p2\nDEVTYPE=partition\n")
    assert read_folder(FakeMachine(tmp_path), tmp_path, 1).is_card
    assert not read_folder(FakeMachine(tmp_path / "other"), tmp_path, 1).is_card


def test_good_disk():
    result = evaluate(GOOD, SETTINGS)
    assert result.level is Level.OK
    assert result.found == (
        "100.0 GB free in /data, enough for 3.6 days of live video (27.7 GB a day); "
        "2 s of it are written in 0.10 s at most"
    )


@pytest.mark.parametrize(
    ("change", "level", "text"),
    [
        ({"flush": 2.5}, Level.WARNING, "Use a faster disk"),
        ({"free": 20_000_000_000}, Level.WARNING, "Free some space"),
        ({"free": 0}, Level.WARNING, "Free some space"),
        ({"is_card": True}, Level.WARNING, "Use a USB disk"),
        ({"writable": False}, Level.BROKEN, 'ReadWritePaths="-/data"'),
        ({"writable": False, "folder": "/media/usb/data"}, Level.BROKEN, 'ReadWritePaths="-/media"'),
    ],
)
def test_other_disks(change, level, text):
    result = evaluate(replace(GOOD, **change), SETTINGS)
    assert result.level is level
    assert text in result.fix


def test_timelapse_alone_needs_little():
    live, timelapse = bytes_a_day(SETTINGS), Settings(record=RecordSettings(timelapse=10.0))
    assert 0.2e9 < bytes_a_day(timelapse) < 1e9
    assert bytes_a_day(Settings(record=replace(SETTINGS.record, timelapse=10.0))) == live + bytes_a_day(timelapse)
