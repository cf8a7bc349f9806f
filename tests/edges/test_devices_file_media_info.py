"""What is found in media files of all kinds, made on the spot, and whether they may pass through."""

import itertools
from contextlib import closing

import av
import pytest

from broadcaster.devices.file.demuxer import Demuxer, decode
from broadcaster.devices.file.media_info import AudioTrack, read_media_info
from broadcaster.errors import SourceError
from tests.edges.devices_rig import BASELINE, FPS, HEIGHT, WIDTH, make_file, tone


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "flv", "h264"])
def test_constrained_baseline_passes_whatever_it_is_packed_in(tmp_path, suffix):
    found = read_media_info(make_file(tmp_path / f"a.{suffix}", seconds=2))
    assert found.video.obstacle is None
    assert (found.video.codec, found.video.width, found.video.height) == ("h264", WIDTH, HEIGHT)
    assert found.video.fps == pytest.approx(FPS, abs=0.1)
    assert found.duration == (0.0 if suffix == "h264" else pytest.approx(2.0, abs=0.05))
    assert found.audio is None


OBSTACLES = [
    ({"options": {"profile": "high", "preset": "veryfast", "bf": "2"}}, "a.mp4", "its profile is High"),
    ({"options": {"profile": "main", "bf": "0"}}, "a.mp4", "its profile is Main"),
    ({"video": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}, "a.webm", "its codec is vp9"),
    ({"video": "mpeg4", "options": {}}, "a.avi", "its codec is mpeg4"),
    ({"seconds": 3.0, "options": {**BASELINE, "g": "250"}}, "a.mp4", "keyframes are more than 2 s or 2 MiB apart"),
    ({"rotation": 90}, "a.mp4", "it has to be rotated, mirrored or stretched"),
]


@pytest.mark.parametrize(("options", "name", "obstacle"), OBSTACLES, ids=[obstacle for *_, obstacle in OBSTACLES])
def test_anything_else_is_encoded_and_the_reason_is_known(tmp_path, options, name, obstacle):
    assert read_media_info(make_file(tmp_path / name, **options)).video.obstacle == obstacle


def test_keyframes_two_seconds_apart_still_pass(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=4.2, options={**BASELINE, "g": str(2 * FPS)})
    assert read_media_info(path).video.obstacle is None


def test_a_turned_picture_has_its_size_as_shown(tmp_path):
    found = read_media_info(make_file(tmp_path / "a.mp4", rotation=90))
    assert (found.video.width, found.video.height) == (HEIGHT, WIDTH)


def test_opus_in_frames_of_20_ms_passes_and_other_sound_does_not(tmp_path):
    opus = read_media_info(
        make_file(tmp_path / "a.webm", video="libvpx", audio="libopus", options={"deadline": "realtime"})
    )
    aac = read_media_info(make_file(tmp_path / "a.mp4", audio="aac"))
    assert opus.audio == AudioTrack("opus", True, pytest.approx(0.0, abs=0.01))
    assert aac.audio == AudioTrack("aac", False, pytest.approx(0.0, abs=0.03))


def test_the_cover_of_an_album_is_no_picture(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        sound = container.add_stream("aac", rate=48000)
        container.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
        for frame in tone(sound, 0.5):
            container.mux(sound.encode(frame))
        container.mux(list(itertools.chain(cover.encode(None), sound.encode(None))))
    found = read_media_info(str(path))
    assert found.video is None
    assert found.audio == AudioTrack("aac", False, pytest.approx(0.0, abs=0.03))


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"", "is empty"), (b"text\n" * 99, "Invalid data")]
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path, content, words):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=words) as caught:
        read_media_info(str(path))
    assert caught.value.reason == "file"
    assert str(path) in caught.value.detail


def test_a_damaged_file_is_played_as_far_as_it_can_be(tmp_path):
    path = tmp_path / "a.ts"
    make_file(path, seconds=2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    assert read_media_info(str(path)).video.width == WIDTH


def test_channels_in_the_order_of_film_studios_get_the_native_order(tmp_path):
    """Libav gives such a layout as a list, which PyAV 18 frees more than once: the process would abort."""
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=48000, layout="5.1")
        for frame in tone(sound, 0.5):
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    data = bytearray(path.read_bytes())
    place = data.index(b"chan") + 8
    data[place : place + 4] = (123 << 16 | 6).to_bytes(4, "big")  # kAudioChannelLayoutTag_MPEG_5_1_C: L C R Ls Rs LFE
    path.write_bytes(data)
    with closing(Demuxer(str(path))) as demuxer:
        frames = [frame for packet in demuxer.packets() for frame in decode(demuxer.audio, packet)]
        assert {frame.layout.name for frame in frames} == {"5.1"}
    assert sum(frame.samples for frame in frames) == 23 * 1024
