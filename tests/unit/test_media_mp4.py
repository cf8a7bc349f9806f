"""Fragmented MP4: what is written is read again, and ffprobe reads the same."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.devices.fakes import canned
from broadcaster.media.bits import PictureFormat, picture_format
from broadcaster.media.h264 import NalType, nal_type, split_nal_units
from broadcaster.media.mp4 import Fragment, Sample, Tracks, fragment, init_segment, length_prefixed, tracks_of
from broadcaster.media.mp4_reader import Mp4Error, read
from tests.rigs import ffprobe, films

HIGH_1080 = bytes.fromhex("67640028acd940780227e5c044000003000400000300c83c60c658")
"""High profile, 1920x1088 cropped to 1920x1080, made by libx264."""
VIDEO_TICKS, AUDIO_TICKS = 3000, 960

times = st.integers(0, 2**40)


def samples(start: int, parts: list[tuple[bytes, int, bool]]) -> tuple[Sample, ...]:
    """Return samples that follow each other without a gap."""
    made = []
    for data, duration, keyframe in parts:
        made.append(Sample(data, start, duration, keyframe))
        start += duration
    return tuple(made)


def runs(keyframes: st.SearchStrategy[bool]) -> st.SearchStrategy[tuple[Sample, ...]]:
    parts = st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 2**32 - 1), keyframes), max_size=5)
    return st.builds(samples, times, parts)


fragments = st.builds(Fragment, st.integers(0, 2**32 - 1), runs(st.booleans()), runs(st.just(True)))


def canned_movie(pictures: int = 30, *, audio: bool = True) -> tuple[Tracks, list[Fragment]]:
    """Return the fake camera's video, and the fake microphone's audio, one fragment per picture."""
    units, frames = canned.pictures()[:pictures], canned.audio_frames()
    made = []
    for number, unit in enumerate(units):
        video = (Sample(length_prefixed(unit), number * VIDEO_TICKS, VIDEO_TICKS, number == 0),)
        begin, end = number * 50 // 30, (number + 1) * 50 // 30
        sound = tuple(Sample(frames[index], index * AUDIO_TICKS, AUDIO_TICKS) for index in range(begin, end))
        made.append(Fragment(number + 1, video, sound if audio else ()))
    return tracks_of(units[0], audio=audio), made


def written(tracks: Tracks, parts: list[Fragment]) -> bytes:
    return init_segment(tracks) + b"".join(map(fragment, parts))


@given(st.lists(fragments, max_size=4), st.booleans())
def test_what_is_written_is_read_again(parts, audio):
    tracks = tracks_of(canned.pictures()[0], audio=audio)
    data = written(tracks, parts)
    movie = read(data)
    assert movie.tracks == tracks
    assert movie.fragments == parts
    assert movie.size == len(data)


@given(st.data())
def test_interrupted_file_is_read_up_to_the_last_complete_fragment(data):
    tracks, parts = canned_movie(4)
    whole = written(tracks, parts)
    ends = [len(written(tracks, parts[:count])) for count in range(5)]
    size = data.draw(st.integers(ends[0], len(whole)))
    movie = read(whole[:size])
    assert movie.size == max(end for end in ends if end <= size)
    assert movie.fragments == parts[: ends.index(movie.size)]


@given(st.data())
def test_damaged_file_is_read_or_refused(data):
    damaged = bytearray(written(*canned_movie(2)))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        movie = read(bytes(damaged))
    except Mp4Error:
        return
    assert movie.size <= len(damaged)


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x08ftyp", b"\0\0\0\x00ftyp" + bytes(8), bytes(100), b"junk" * 50])
def test_other_data_is_refused(data):
    with pytest.raises(Mp4Error):
        read(data)


def test_parameter_sets_are_in_the_init_segment_only():
    keyframe = canned.pictures()[0]
    kinds = [nal_type(nal) for nal in split_nal_units(keyframe)]
    assert {NalType.SPS, NalType.PPS, NalType.IDR} <= set(kinds)
    data, found = length_prefixed(keyframe), []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(nal_type(data[4:]))
        data = data[4 + size :]
    assert found == [kind for kind in kinds if kind not in (7, 8, 9, 12)]


def test_mime_type_names_the_profile_of_the_stream():
    with_audio, without = (canned_movie(1, audio=audio)[0] for audio in (True, False))
    assert with_audio.mime_type == 'video/mp4; codecs="avc1.42c00d,opus"'
    assert without.mime_type == 'video/mp4; codecs="avc1.42c00d"'


@pytest.mark.parametrize("keyframe", [b"", b"\0\0\1\x65abc", b"\0\0\1\x67\x42\xe0\x1f\0\0\1\x68\xce\0\0\1\x65x"])
def test_keyframe_without_usable_parameter_sets_is_refused(keyframe):
    with pytest.raises(ValueError, match="SPS"):
        tracks_of(keyframe, audio=True)


def test_picture_format_of_a_cropped_high_profile_stream():
    assert picture_format(HIGH_1080) == PictureFormat(1920, 1080)


@given(st.binary(max_size=60))
def test_picture_format_of_any_bytes_is_found_or_refused(data):
    try:
        found = picture_format(data)
    except ValueError:
        return
    assert 0 < found.width <= 16384
    assert 0 < found.height <= 16384


needs_ffprobe = pytest.mark.skipif(not ffprobe.IS_INSTALLED, reason="needs ffprobe, in Debian's package ffmpeg")


@needs_ffprobe
@pytest.mark.parametrize("audio", [True, False])
def test_ffprobe_reads_the_same(audio):
    tracks, parts = canned_movie(audio=audio)
    probed = ffprobe.probe(written(tracks, parts))
    streams = {stream["codec_name"]: stream for stream in probed["streams"]}
    assert set(streams) == ({"h264", "opus"} if audio else {"h264"})
    assert (streams["h264"]["width"], streams["h264"]["height"]) == (canned.WIDTH, canned.HEIGHT)
    for kind, ticks in (("video", VIDEO_TICKS), ("audio", AUDIO_TICKS)):
        assert ffprobe.packets_read(probed, kind) == ffprobe.packets_written(parts, kind)
        packets = [packet for packet in probed["packets"] if packet["codec_type"] == kind]
        # ffprobe leaves the duration out where it derives it from the Opus packet itself.
        assert {packet.get("duration", ticks) for packet in packets} <= {ticks}


@needs_ffprobe
@settings(max_examples=8, deadline=None)
@given(st.binary(max_size=30))
def test_ffprobe_reads_the_same_of_any_film(choices):
    film = films.chosen(choices)
    probed = ffprobe.probe(films.written(film))
    for kind in ffprobe.KINDS:
        assert ffprobe.packets_read(probed, kind) == ffprobe.packets_written(film, kind)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_decodes_every_picture(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(written(*canned_movie()))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "framemd5", "-map", "0:v", "-"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert len([line for line in result.stdout.splitlines() if not line.startswith("#")]) == 30
