"""Films with peculiar timelines are played as ffmpeg plays them: each picture when it is due, and nothing else."""

import os

import pytest

from broadcaster.devices.file.demuxer import Demuxer
from broadcaster.devices.file.media_info import read_media_info
from broadcaster.devices.file.video_player import REPEAT
from tests.edges.devices_rig import BASELINE, HEIGHT, WIDTH, decoded, make_file
from tests.edges.file_rig import STILLS, Playing, changes, film, remux, still

HIGH = {"profile": "high", "preset": "ultrafast", "g": "250", "bf": "2", "sc_threshold": "0"}
PLAIN = {**HIGH, "bf": "0"}
EVEN = [index / 25 for index in range(50)]


def is_even(playing, step=0.04):
    return all(abs(one - step) < 0.002 for one in playing.steps)


@pytest.mark.parametrize("options", [HIGH, PLAIN, {**BASELINE, "g": "50"}], ids=["B pictures", "P pictures", "passes"])
def test_pictures_before_a_cut_are_decoded_and_not_shown(tmp_path, options):
    """A film cut without encoding begins at a keyframe before the cut; an edit list says what to show."""
    whole = film(tmp_path / "whole.mp4", EVEN, options=options)

    def cut(packet):
        shift = round(0.8 / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return True

    path = remux(whole, tmp_path / "cut.mp4", cut)
    playing = Playing(path, 3.5)
    assert playing.times[0] == 0.0
    assert is_even(playing)
    assert playing.numbers()[:60] == [*range(20, 50), *range(20, 50)]


def test_a_recording_that_begins_between_keyframes_begins_with_the_first_picture_that_can_be_decoded(tmp_path):
    whole = film(tmp_path / "whole.ts", EVEN, options={**PLAIN, "g": "20"})
    seen = []

    def late(packet):
        seen.append(packet)
        return len(seen) > 10

    path = remux(whole, tmp_path / "late.ts", late)
    playing = Playing(path, 3.0)
    assert playing.times[0] == 0.0
    assert is_even(playing)
    assert playing.numbers()[:60] == [*range(20, 50), *range(20, 50)]


@pytest.mark.parametrize("profile", [HIGH, {**BASELINE, "g": "25"}], ids=["encoded", "could pass"])
def test_in_a_pause_the_last_picture_is_repeated(tmp_path, profile):
    """As in a screen recording: half a second of pictures, 3 s of nothing, half a second."""
    moments = [*[index / 25 for index in range(12)], *[3.5 + index / 25 for index in range(12)]]
    playing = Playing(film(tmp_path / "a.mp4", moments, options=profile), 8.0)
    assert max(playing.steps) < REPEAT * 1.6
    expected = [(index, moment + loop * 3.98) for loop in range(2) for index, moment in enumerate(moments)]
    shown = changes(playing)[:48]
    assert [number for number, _ in shown] == [number for number, _ in expected]
    assert [time for _, time in shown] == pytest.approx([time for _, time in expected], abs=0.05)


def test_slides_are_shown_as_long_as_they_last(tmp_path):
    playing = Playing(film(tmp_path / "a.mp4", [0.0, 5.0, 10.0], options=PLAIN, last=5.0), 20.0)
    assert [time for _, time in changes(playing)] == pytest.approx([0.0, 5.0, 10.0, 15.0], abs=0.05)
    assert max(playing.steps) <= REPEAT * 1.5


def test_the_rate_stays_as_asked_where_pictures_come_in_bursts(tmp_path):
    moments = [second * 4 + index / 25 for second in range(3) for index in range(25)]
    playing = Playing(film(tmp_path / "a.mp4", moments, options=PLAIN), 12.0, bitrate=60_000)
    windows = [0] * 12
    for unit, time in zip(playing.units, playing.times, strict=True):
        windows[int(time)] += len(unit.data) * 8
    assert max(windows) < 60_000 * 1.6


@pytest.mark.parametrize("suffix", STILLS)
def test_a_single_picture_stands_still(tmp_path, suffix):
    playing = Playing(still(tmp_path / f"a{suffix}", 5), 5.0)
    assert max(playing.steps) <= REPEAT * 1.5
    assert playing.numbers() == [5] * len(playing.units)
    assert len(playing.units) >= 24


def test_a_still_picture_that_is_replaced_is_shown(tmp_path):
    path, other = still(tmp_path / "a.png", 3), still(tmp_path / "b.png", 9)

    def replace(unit):
        if unit.captured > 1003.0 and other.exists():
            os.replace(other, path)

    numbers = Playing(path, 6.0, replace).numbers()
    assert (numbers[0], numbers[-1]) == (3, 9)


def test_a_clock_that_starts_again_goes_on(tmp_path):
    """Two recordings put together, as a recorder does that was restarted."""
    first = film(tmp_path / "1.ts", [100 + index / 25 for index in range(25)], options=PLAIN)
    second = film(tmp_path / "2.ts", [3 + index / 25 for index in range(25)], options=PLAIN)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    playing = Playing(path, 4.5)
    assert is_even(playing)
    assert playing.numbers()[:100] == [*range(25), *range(25)] * 2


def test_a_clock_that_jumps_forward_is_no_pause_in_a_transport_stream(tmp_path):
    first = film(tmp_path / "1.ts", [index / 25 for index in range(25)], options=PLAIN)
    second = film(tmp_path / "2.ts", [5000 + index / 25 for index in range(25)], options=PLAIN)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    playing = Playing(path, 4.5)
    assert is_even(playing)
    assert playing.numbers()[:100] == [*range(25), *range(25)] * 2


def test_times_below_zero_are_times_like_others(tmp_path):
    path = remux(
        film(tmp_path / "a.mkv", EVEN, options=PLAIN),
        tmp_path / "b.ts",
        lambda packet: bool(setattr(packet, "pts", packet.pts + 2) or True),
    )
    assert is_even(Playing(path, 4.0))


def test_a_film_that_grows_is_played_as_far_as_it_is(tmp_path):
    whole = film(tmp_path / "whole.ts", EVEN, options={**PLAIN, "g": "25"}).read_bytes()
    path = tmp_path / "a.ts"
    path.write_bytes(whole[: len(whole) // 2 // 188 * 188])

    def grow(unit):
        if unit.captured > 1001.5 and path.stat().st_size < len(whole):
            path.write_bytes(whole)

    playing = Playing(path, 6.0, grow)
    numbers = playing.numbers()
    assert max(numbers[:25]) < 30
    assert numbers[-50:].count(49) >= 1
    assert max(playing.steps) < 0.1


@pytest.mark.parametrize("other", [HIGH, BASELINE], ids=["another to encode", "one that passes"])
@pytest.mark.parametrize("first", [HIGH, BASELINE], ids=["encoded", "passing"])
def test_a_film_that_is_replaced_is_followed_by_the_other(tmp_path, first, other):
    path = film(tmp_path / "a.mp4", EVEN[:25], options=first)
    replacement = film(tmp_path / "b.mp4", EVEN, options=other, size=(160, 90))

    def replace(unit):
        if unit.captured > 1000.5 and replacement.exists():
            os.replace(replacement, path)

    playing = Playing(path, 5.0, replace)
    sizes = [(picture.width, picture.height) for picture in decoded(playing.units)]
    assert (sizes[0], sizes[-1]) == ((WIDTH, HEIGHT), (160, 90))
    assert (playing.video.traits.width, playing.video.traits.height) == (160, 90)
    assert playing.video.traits.can_force_keyframe == (other is HIGH)
    assert is_even(playing)


def test_what_turns_out_not_to_pass_is_encoded_from_there_on(tmp_path):
    """The beginning passes; further on keyframes are 4 s apart, which only reading it all would have shown."""
    moments = [index / 25 for index in range(250)]
    first = film(tmp_path / "1.ts", moments[:100], options={**BASELINE, "g": "25"})
    second = film(tmp_path / "2.ts", moments[100:200], options={**BASELINE, "g": "250"})
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert read_media_info(str(path)).video.obstacle is None
    playing = Playing(path, 10.0)
    assert playing.numbers()[:200] == [*range(100), *range(100)]
    assert playing.video.traits.encoder == "libx264"
    assert max(playing.steps) <= 0.08


def test_a_file_is_not_read_through_before_it_is_played(tmp_path, monkeypatch):
    """A film of raw pictures of 35 MB; its first seconds are enough."""
    path = film(tmp_path / "a.mkv", [index / 25 for index in range(400)], codec="rawvideo", options={})
    read = []
    packets = Demuxer.packets

    def counted(demuxer):
        for packet in packets(demuxer):
            read.append(packet.size)
            yield packet

    monkeypatch.setattr(Demuxer, "packets", counted)
    info = read_media_info(str(path))
    assert info.duration == pytest.approx(16.0, abs=0.1)
    assert info.video.start == 0.0
    assert sum(read) < path.stat().st_size / 10


@pytest.mark.parametrize("options", [BASELINE, HIGH], ids=["passes", "B-frames"])
def test_pictures_without_presentation_times_keep_their_order_and_begin_with_the_audio(tmp_path, options):
    """AVI has none. PyAV would let libav invent some: one picture late, and in the order of decoding."""
    path = make_file(tmp_path / "a.avi", options=options)
    playing = Playing(path, 0.9)
    assert playing.steps == [0.04] * (len(playing.steps))
    assert len(playing.steps) > 20
    reordering = 0.0 if options is BASELINE else 0.08
    assert read_media_info(path).video.start == pytest.approx(reordering)
