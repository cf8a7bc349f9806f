"""Names, retention and the time of day of recordings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.model.recording import Recording, RecordingKind
from broadcaster.outputs.recording.names import NameParts, file_name, parse, right_name
from broadcaster.outputs.recording.retention import Limits, clip_problem, make_room
from broadcaster.outputs.recording.wall_clock import WallClock

DAY = 86_400
NOON = 1_772_366_400.0


def test_name_has_counter_and_time_without_colons():
    assert file_name(123, NOON + 1800, kept=False) == "000123_2026-03-01T12-30-00Z.mp4"
    assert file_name(1_000_000, NOON, kept=True) == "1000000_2026-03-01T12-00-00Z_kept.mp4"
    name = file_name(1, NOON, kept=True, kind=RecordingKind.TIMELAPSE)
    assert name == "000001_2026-03-01T12-00-00Z_timelapse_kept.mp4"


@given(st.integers(0, 10**12 - 1), st.integers(0, 253_402_300_799), st.booleans(), st.sampled_from(RecordingKind))
def test_name_is_read_again(number, started, kept, kind):
    name = file_name(number, started, kept=kept, kind=kind)
    assert parse(name) == NameParts(number, started, kept, kind)
    assert right_name(Recording(number, name, started, kept=kept, kind=kind)) == name


@pytest.mark.parametrize("clock", [-1e18, -5.0, 1e12, 1e18])
def test_name_can_be_made_whatever_the_clock_says(clock):
    assert parse(file_name(1, clock, kept=False)) is not None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "film.mp4",
        "000123_2026-03-01T12-30-00Z.mp4.part",
        "../000123_2026-03-01T12-30-00Z.mp4",
        "000123_2026-03-01T12-30-00Z.mp4\n",
        "000123_2026-13-01T12-30-00Z.mp4",
        "０００123_2026-03-01T12-30-00Z.mp4",
        "000123_2026-03-01T12:30:00Z.mp4",
        "123_2026-03-01T12-30-00Z.mp4",
        "000123_2026-03-01T12-30-00Z_kept_timelapse.mp4",
        "9" * 100 + "_2026-03-01T12-30-00Z.mp4",
    ],
)
def test_names_of_strangers_are_refused(name):
    assert parse(name) is None


@given(st.text(max_size=60))
def test_any_name_is_read_or_refused(name):
    parts = parse(name)
    if parts is not None:
        again = file_name(parts.number, parts.started, kept=parts.kept, kind=parts.kind)
        assert again.lstrip("0") == name.lstrip("0")


def files(*sizes: int, kept: tuple[int, ...] = ()) -> list[Recording]:
    """Return files of these sizes, a day apart, the newest one at noon; `kept` are indexes."""
    count = len(sizes)
    return [
        Recording(index, f"{index}", NOON - (count - 1 - index) * DAY, 300.0, size, kept=index in kept)
        for index, size in enumerate(sizes)
    ]


def numbers(room) -> list[int]:
    return [recording.number for recording in room.delete]


def test_nothing_is_deleted_within_the_limits():
    room = make_room(files(10, 10, 10), Limits(7, 100, 50), free=50, now=NOON)
    assert (room.delete, room.problem) == ([], "")


def test_oldest_are_deleted_for_their_age():
    assert numbers(make_room(files(1, 1, 1, 1), Limits(days=1.5), free=0, now=NOON)) == [0, 1]


def test_nothing_is_too_old_while_the_clock_may_be_wrong():
    assert not make_room(files(1, 1, 1), Limits(days=1), free=0, now=None).delete


def test_oldest_are_deleted_for_their_size():
    assert numbers(make_room(files(10, 10, 10, 10), Limits(bytes=25), free=0, now=NOON)) == [0, 1]


def test_oldest_are_deleted_for_free_space():
    room = make_room(files(10, 10, 10, 10), Limits(free=100), free=85, now=NOON)
    assert (numbers(room), room.problem) == ([0, 1], "")


def test_kept_files_count_and_stay():
    room = make_room(files(10, 10, 10, 10, kept=(0, 1)), Limits(bytes=30), free=0, now=NOON)
    assert (numbers(room), room.problem) == ([2], "")
    room = make_room(files(40, 10, kept=(0,)), Limits(days=0.5, bytes=30), free=0, now=NOON)
    assert numbers(room) == [1]
    assert "kept" in room.problem


def test_marked_files_have_no_age_limit_and_go_last():
    recordings = files(10, 10, 10, 10)
    marks = [recordings[0].started + 5]
    assert numbers(make_room(recordings, Limits(days=1.5), 0, NOON, marks)) == [1]
    assert numbers(make_room(recordings, Limits(bytes=25), 0, NOON, marks)) == [1, 2]
    assert numbers(make_room(recordings, Limits(bytes=5), 0, NOON, marks)) == [1, 2, 3, 0]
    for beside in (recordings[0].started - 1, recordings[0].started + 301):
        assert numbers(make_room(recordings, Limits(bytes=25), 0, NOON, [beside])) == [0, 1]


def test_open_files_stay():
    recordings = [replace(recording, open=True) for recording in files(10, 10)]
    assert not make_room(recordings, Limits(1, 5, 100), free=0, now=NOON + 30 * DAY).delete


def test_full_disk_is_a_problem_when_nothing_can_be_deleted():
    room = make_room(files(10), Limits(free=10**9), free=10**8, now=NOON)
    assert numbers(room) == [0]
    assert "record.keep_free" in room.problem


sizes = st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=12)


@given(sizes, st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_limits_hold_or_there_is_a_problem(parts, limit, keep_free, free):
    recordings = files(*(size for size, _ in parts), kept=tuple(i for i, (_, kept) in enumerate(parts) if kept))
    room = make_room(recordings, Limits(bytes=limit, free=keep_free), free, NOON)
    gone = sum(recording.size for recording in room.delete)
    total = sum(recording.size for recording in recordings) - gone
    assert bool(room.problem) == (free + gone < keep_free or 0 < limit < total)
    assert not any(recording.kept for recording in room.delete)
    assert not room.problem or all(r.kept or r in room.delete for r in recordings)


def test_clock_that_is_synchronized_later_corrects_what_came_before():
    clock = WallClock()
    assert not clock.update(100.0, 10.0, synchronized=False)
    assert clock.unix(20.0) == 110.0
    assert clock.update(NOON, 40.0, synchronized=True)
    assert clock.unix(20.0) == NOON - 20
    assert not clock.update(NOON + 60, 100.0, synchronized=True)
    assert clock.is_set


def test_clock_that_jumps_while_synchronized_is_right_again():
    clock = WallClock()
    assert clock.update(NOON, 0.0, synchronized=True)
    assert clock.update(NOON + 3600, 1.0, synchronized=True)
    assert not clock.update(NOON + 7200, 2.0, synchronized=False)
    assert not clock.is_set


def test_age_counts_if_the_clock_is_trusted():
    clock = WallClock()
    clock.update(NOON, 0.0, synchronized=False)
    assert not clock.tells_age(3599.0)
    assert clock.tells_age(3600.0)
    clock.update(NOON + 10 * 365 * DAY, 3700.0, synchronized=False)
    assert not clock.tells_age(50_000.0)
    clock.update(NOON, 3800.0, synchronized=True)
    assert clock.tells_age(3800.0)


def test_clip_needs_room_of_its_own():
    """It may use what `record.keep_free` reserves, as that is made free again, but not the last bytes of the disk."""
    recordings, mega = [*files(100, 100), *files(50, kept=(0,))], 1 << 20
    assert not clip_problem(recordings, Limits(free=10**12), 200 * mega, 100 * mega)
    assert "105 MB" in clip_problem(recordings, Limits(), 100 * mega, 100 * mega)
    assert "only 0 bytes" in clip_problem(recordings, Limits(), 5, 1)
    assert not clip_problem(recordings, Limits(bytes=150), 200 * mega, 100)
    assert "record.keep_bytes" in clip_problem(recordings, Limits(bytes=149), 200 * mega, 100)
