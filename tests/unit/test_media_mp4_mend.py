"""What a power cut leaves: after any cut and any zeroed range, all whole fragments in front of it play."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broadcaster.devices.fakes import canned
from broadcaster.media.h264 import START_CODE
from broadcaster.media.mp4 import length_prefixed
from broadcaster.media.mp4_mend import is_picture, read_tracks, whole_part
from broadcaster.media.mp4_plain import MARK_OFFSET, header
from broadcaster.media.mp4_reader import Mp4Error
from tests.unit.recordings import ended, fragments, needs_ffprobe, opened, pictures_in, reader, tracks

PARTS = 5


def mended(data: bytes) -> tuple[bytes, int]:
    """Return the file as it is after mending, and how many of the fragments are in it."""
    index = whole_part(reader(data))
    _whole, ends = opened(fragments(PARTS))
    # A mended file is `ftyp` as it has to be, and then what was found.
    start = header(index.tracks)
    return ended(start + data[len(start) :], index), [len(header(tracks())), *ends].index(index.end)


@given(st.data())
def test_any_cut_leaves_all_fragments_before_it(data):
    whole, ends = opened(fragments(PARTS))
    cut = data.draw(st.integers(len(header(tracks())), len(whole)))
    assert mended(whole[:cut])[1] == sum(end <= cut for end in ends)


@given(st.data())
def test_zeros_anywhere_leave_all_fragments_before_them(data):
    """At least those: zeros within an Opus packet, or where zeros were, are not noticed and do no harm."""
    whole, ends = opened(fragments(PARTS))
    start = data.draw(st.integers(len(header(tracks())), len(whole) - 1))
    size = data.draw(st.integers(8, len(whole) - start) if len(whole) - start > 8 else st.just(8))
    damaged = (whole[:start] + bytes(size) + whole[start + size :])[: len(whole)]
    kept = mended(damaged)[1]
    assert kept >= sum(end <= start for end in ends)


@given(st.data())
def test_zeros_in_pictures_are_noticed(data):
    whole, ends = opened(fragments(PARTS, audio=False), audio=False)
    number = data.draw(st.integers(0, PARTS - 1))
    begin = ends[number - 1] if number else len(header(tracks(False)))
    start = data.draw(st.integers(begin, ends[number] - 512))
    damaged = whole[:start] + bytes(512) + whole[start + 512 :]
    assert whole_part(reader(damaged)).end <= begin


@given(st.binary(max_size=400))
def test_junk_is_refused(junk):
    with pytest.raises(Mp4Error):
        whole_part(reader(junk))


@given(st.data())
def test_any_damage_is_survived(data):
    damaged = bytearray(opened(fragments(2))[0])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Mp4Error):
        index = whole_part(reader(bytes(damaged)))
        assert index.end <= len(damaged)
        assert whole_part(reader(ended(bytes(damaged), index))).end == index.end


@pytest.mark.parametrize("field", ["time", "duration"])
@pytest.mark.parametrize("track", [0, 1])
def test_times_that_cannot_be_right_end_the_file(field, track):
    data, ends = opened(fragments(3))
    damaged = bytearray(data)
    moof = ends[0]
    for _ in range(track + 1):
        run = damaged.index(b"tfdt" if field == "time" else b"trun", moof)
        moof = run + 4
    position = run + 8 if field == "time" else run + 16  # behind version and flags; count and data offset
    damaged[position : position + 4] = b"\xff" * 4
    index = whole_part(reader(bytes(damaged)))
    assert index.end == ends[0]
    assert whole_part(reader(ended(bytes(damaged), index))).end == ends[0]


def test_file_that_was_ended_is_found_whole():
    parts = fragments(PARTS)
    data, ends = opened(parts)
    index = whole_part(reader(data))
    assert index.end == ends[-1]
    again = whole_part(reader(ended(data, index)))
    assert (again.end, again.movie()) == (index.end, index.movie())


def test_cut_while_the_file_was_ended_is_mended():
    data, ends = opened(fragments(PARTS))
    index = whole_part(reader(data))
    for cut in (1, 100, len(index.movie()) - 1):
        assert whole_part(reader(data + index.movie()[:cut])).end == ends[-1]
        assert whole_part(reader(ended(data, index)[: ends[-1] + cut])).end == ends[-1]


def test_content_of_the_type_box_is_not_needed():
    data, ends = opened(fragments(2))
    assert read_tracks(reader(data)) == tracks()
    zeroed = bytes(4) + data[4:]
    with pytest.raises(Mp4Error):
        whole_part(reader(zeroed))
    assert whole_part(reader(data[:8] + bytes(MARK_OFFSET - 8) + data[MARK_OFFSET:])).end == ends[-1]


def test_zeros_in_the_parameter_sets_are_noticed():
    data = bytearray(opened(fragments(1))[0])
    sps = data.index(tracks().sps[0])
    data[sps + 4 : sps + 8] = bytes(4)
    with pytest.raises(Mp4Error):
        whole_part(reader(bytes(data)))


def test_pictures_of_the_encoder_are_pictures():
    assert all(is_picture(length_prefixed(unit)) for unit in canned.pictures())
    assert not is_picture(b"")
    assert not is_picture(length_prefixed(START_CODE + b"\xe5abc"))
    assert not is_picture(b"\0\0\0\5\x65ab\0\0\0")


@needs_ffprobe
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mended_files_play_in_ffmpeg(tmp_path, data):
    whole, ends = opened(fragments(PARTS))
    cut = data.draw(st.integers(ends[0], len(whole)))
    zeros = data.draw(st.integers(0, 3000))
    file, kept = mended(whole[: max(cut - zeros, ends[0])] + bytes(min(zeros, cut - ends[0])))
    path = tmp_path / "a.mp4"
    path.write_bytes(file)
    assert pictures_in(path) == 6 * kept
