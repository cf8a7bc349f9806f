"""Playback of files with unusual timelines, as ffmpeg does it: each picture when it is due, and nothing else."""

import os

import pytest

from broadcaster.devices.file.demuxer import Demuxer
from broadcaster.devices.file.media_info import read_media_info
from broadcaster.devices.file.video_player import REPEAT
from tests.edges.devices_rig import BASELINE, HEIGHT, WIDTH, decoded, make_file
from tests.edges.file_rig import STILLS, Playback, changes, remux, write_still, write_video

HIGH = {"profile": "high", "preset": "ultrafast", "g": "250", "bf": "2", "sc_threshold": "0"}
PLAIN = {**HIGH, "bf": "0"}
EVEN = [index / 25 for index in range(50)]


def is_even(playback, step=0.04):
    return all(abs(interval - step) < 0.002 for interval in playback.steps)


@pytest.mark.parametrize("options", [HIGH, PLAIN, {**BASELINE, "g": "50"}], ids=["B-frames", "P-frames", "passthrough"])
def test_pictures_before_an_edit_are_decoded_but_not_shown(tmp_path, options):
    """A video cut without encoding begins at a keyframe before the cut; an edit list defines what to show."""
    whole = write_video(tmp_path / "whole.mp4", EVEN, options=options)

    def cut(packet):
        shift = round(0.8 / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return True

    path = remux(whole, tmp_path / "cut.mp4", cut)
    playback = Playback(path, 3.5)
    assert playback.times[0] == 0.0
    assert is_even(playback)
    assert playback.numbers()[:60] == [*range(20, 50), *range(20, 50)]


def test_recording_that_starts_between_keyframes_plays_from_the_first_decodable_picture(tmp_path):
    whole = write_video(tmp_path / "whole.ts", EVEN, options={**PLAIN, "g": "20"})
    packets = []

    def drop_first(packet):
        packets.append(packet)
        return len(packets) > 10

    path = remux(whole, tmp_path / "late.ts", drop_first)
    playback = Playback(path, 3.0)
    assert playback.times[0] == 0.0
    assert is_even(playback)
    assert playback.numbers()[:60] == [*range(20, 50), *range(20, 50)]


@pytest.mark.parametrize("profile", [HIGH, {**BASELINE, "g": "25"}], ids=["encoded", "passthrough"])
def test_last_picture_is_repeated_in_a_pause(tmp_path, profile):
    """As in a screen recording: half a second of pictures, a pause of 3 s, half a second of pictures."""
    times = [*[index / 25 for index in range(12)], *[3.5 + index / 25 for index in range(12)]]
    playback = Playback(write_video(tmp_path / "a.mp4", times, options=profile), 8.0)
    assert max(playback.steps) < REPEAT * 1.6
    expected = [(index, time + loop * 3.98) for loop in range(2) for index, time in enumerate(times)]
    shown = changes(playback)[:48]
    assert [number for number, _ in shown] == [number for number, _ in expected]
    assert [time for _, time in shown] == pytest.approx([time for _, time in expected], abs=0.05)


def test_slides_are_shown_for_their_duration(tmp_path):
    playback = Playback(write_video(tmp_path / "a.mp4", [0.0, 5.0, 10.0], options=PLAIN, last=5.0), 20.0)
    assert [time for _, time in changes(playback)] == pytest.approx([0.0, 5.0, 10.0, 15.0], abs=0.05)
    assert max(playback.steps) <= REPEAT * 1.5


def test_bit_rate_is_kept_with_bursts_of_pictures(tmp_path):
    times = [second * 4 + index / 25 for second in range(3) for index in range(25)]
    playback = Playback(write_video(tmp_path / "a.mp4", times, options=PLAIN), 12.0, bitrate=60_000)
    windows = [0] * 12
    for unit, time in zip(playback.units, playback.times, strict=True):
        windows[int(time)] += len(unit.data) * 8
    assert max(windows) < 60_000 * 1.6


@pytest.mark.parametrize("suffix", STILLS)
def test_still_picture_is_repeated(tmp_path, suffix):
    playback = Playback(write_still(tmp_path / f"a{suffix}", 5), 5.0)
    assert max(playback.steps) <= REPEAT * 1.5
    assert playback.numbers() == [5] * len(playback.units)
    assert len(playback.units) >= 24


def test_replaced_still_picture_is_shown(tmp_path):
    path, other = write_still(tmp_path / "a.png", 3), write_still(tmp_path / "b.png", 9)

    def replace(unit):
        if unit.captured > 1003.0 and other.exists():
            os.replace(other, path)

    numbers = Playback(path, 6.0, replace).numbers()
    assert (numbers[0], numbers[-1]) == (3, 9)


def test_clock_reset_is_no_interruption(tmp_path):
    """Two recordings in one file, as a restarted recorder writes them."""
    first = write_video(tmp_path / "1.ts", [100 + index / 25 for index in range(25)], options=PLAIN)
    second = write_video(tmp_path / "2.ts", [3 + index / 25 for index in range(25)], options=PLAIN)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    playback = Playback(path, 4.5)
    assert is_even(playback)
    assert playback.numbers()[:100] == [*range(25), *range(25)] * 2


def test_forward_jump_in_a_transport_stream_is_no_pause(tmp_path):
    first = write_video(tmp_path / "1.ts", [index / 25 for index in range(25)], options=PLAIN)
    second = write_video(tmp_path / "2.ts", [5000 + index / 25 for index in range(25)], options=PLAIN)
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    playback = Playback(path, 4.5)
    assert is_even(playback)
    assert playback.numbers()[:100] == [*range(25), *range(25)] * 2


def test_negative_timestamps_are_played(tmp_path):
    path = remux(
        write_video(tmp_path / "a.mkv", EVEN, options=PLAIN),
        tmp_path / "b.ts",
        lambda packet: bool(setattr(packet, "pts", packet.pts + 2) or True),
    )
    assert is_even(Playback(path, 4.0))


def test_growing_file_is_played_to_its_current_end(tmp_path):
    whole = write_video(tmp_path / "whole.ts", EVEN, options={**PLAIN, "g": "25"}).read_bytes()
    path = tmp_path / "a.ts"
    path.write_bytes(whole[: len(whole) // 2 // 188 * 188])

    def grow(unit):
        if unit.captured > 1001.5 and path.stat().st_size < len(whole):
            path.write_bytes(whole)

    playback = Playback(path, 6.0, grow)
    numbers = playback.numbers()
    assert max(numbers[:25]) < 30
    assert numbers[-50:].count(49) >= 1
    assert max(playback.steps) < 0.1


@pytest.mark.parametrize("other", [HIGH, BASELINE], ids=["to encoded", "to passthrough"])
@pytest.mark.parametrize("first", [HIGH, BASELINE], ids=["from encoded", "from passthrough"])
def test_replaced_file_is_followed_by_the_new_one(tmp_path, first, other):
    path = write_video(tmp_path / "a.mp4", EVEN[:25], options=first)
    replacement = write_video(tmp_path / "b.mp4", EVEN, options=other, size=(160, 90))

    def replace(unit):
        if unit.captured > 1000.5 and replacement.exists():
            os.replace(replacement, path)

    playback = Playback(path, 5.0, replace)
    sizes = [(picture.width, picture.height) for picture in decoded(playback.units)]
    assert (sizes[0], sizes[-1]) == ((WIDTH, HEIGHT), (160, 90))
    assert (playback.video.traits.width, playback.video.traits.height) == (160, 90)
    assert playback.video.traits.can_force_keyframe == (other is HIGH)
    assert is_even(playback)


def test_playback_switches_to_encoding_when_passthrough_becomes_impossible(tmp_path):
    """The beginning can pass through; later keyframes are 4 s apart, which the initial scan does not reach."""
    times = [index / 25 for index in range(250)]
    first = write_video(tmp_path / "1.ts", times[:100], options={**BASELINE, "g": "25"})
    second = write_video(tmp_path / "2.ts", times[100:200], options={**BASELINE, "g": "250"})
    path = tmp_path / "both.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert read_media_info(str(path)).video.obstacle is None
    playback = Playback(path, 10.0)
    assert playback.numbers()[:200] == [*range(100), *range(100)]
    assert playback.video.traits.encoder == "libx264"
    assert max(playback.steps) <= 0.08


def test_only_the_beginning_is_read_before_playback(tmp_path, monkeypatch):
    """A raw video of 35 MB, of which the first seconds are enough."""
    path = write_video(tmp_path / "a.mkv", [index / 25 for index in range(400)], codec="rawvideo", options={})
    sizes = []
    packets = Demuxer.packets

    def counted(demuxer):
        for packet in packets(demuxer):
            sizes.append(packet.size)
            yield packet

    monkeypatch.setattr(Demuxer, "packets", counted)
    info = read_media_info(str(path))
    assert info.duration == pytest.approx(16.0, abs=0.1)
    assert info.video.start == 0.0
    assert sum(sizes) < path.stat().st_size / 10


@pytest.mark.parametrize("options", [BASELINE, HIGH], ids=["passthrough", "B-frames"])
def test_video_without_presentation_times_keeps_its_order_and_begins_with_the_audio(tmp_path, options):
    """AVI has none. With PyAV's default, libav would guess them: one picture late, and in decoding order."""
    path = make_file(tmp_path / "a.avi", options=options)
    playback = Playback(path, 0.9)
    assert playback.steps == [0.04] * (len(playback.steps))
    assert len(playback.steps) > 20
    reordering = 0.0 if options is BASELINE else 0.08
    assert read_media_info(path).video.start == pytest.approx(reordering)
