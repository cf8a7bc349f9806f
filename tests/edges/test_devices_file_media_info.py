"""What is read from generated media files of all kinds, and whether they pass through."""

import itertools
from contextlib import closing

import av
import pytest

from broadcaster.devices.file.demuxer import Demuxer, decode
from broadcaster.devices.file.media_info import AudioTrack, read_media_info
from broadcaster.errors import SourceError
from tests.edges.devices_rig import BASELINE, FPS, HEIGHT, WIDTH, make_file, tone


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "flv", "h264"])
def test_constrained_baseline_passes_through_from_any_container(tmp_path, suffix):
    info = read_media_info(make_file(tmp_path / f"a.{suffix}", seconds=2))
    assert info.video.obstacle is None
    assert (info.video.codec, info.video.width, info.video.height) == ("h264", WIDTH, HEIGHT)
    assert info.video.fps == pytest.approx(FPS, abs=0.1)
    assert info.duration == (0.0 if suffix == "h264" else pytest.approx(2.0, abs=0.05))
    assert info.audio is None


OBSTACLES = [
    ({"options": {"profile": "high", "preset": "veryfast", "bf": "2"}}, "a.mp4", "its profile is High"),
    ({"options": {"profile": "main", "bf": "0"}}, "a.mp4", "its profile is Main"),
    ({"video": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}}, "a.webm", "its codec is vp9"),
    ({"video": "mpeg4", "options": {}}, "a.avi", "its codec is mpeg4"),
    ({"seconds": 3.0, "options": {**BASELINE, "g": "250"}}, "a.mp4", "keyframes are more than 2 s or 2 MiB apart"),
    ({"rotation": 90}, "a.mp4", "it has to be rotated, mirrored or stretched"),
]


@pytest.mark.parametrize(("options", "name", "obstacle"), OBSTACLES, ids=[obstacle for *_, obstacle in OBSTACLES])
def test_other_video_has_an_obstacle(tmp_path, options, name, obstacle):
    assert read_media_info(make_file(tmp_path / name, **options)).video.obstacle == obstacle


def test_keyframe_interval_of_two_seconds_passes_through(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=4.2, options={**BASELINE, "g": str(2 * FPS)})
    assert read_media_info(path).video.obstacle is None


def test_size_of_rotated_video_is_as_shown(tmp_path):
    info = read_media_info(make_file(tmp_path / "a.mp4", rotation=90))
    assert (info.video.width, info.video.height) == (HEIGHT, WIDTH)


def test_only_opus_in_20_ms_frames_passes_through(tmp_path):
    opus = read_media_info(
        make_file(tmp_path / "a.webm", video="libvpx", audio="libopus", options={"deadline": "realtime"})
    )
    aac = read_media_info(make_file(tmp_path / "a.mp4", audio="aac"))
    assert opus.audio == AudioTrack("opus", True, pytest.approx(0.0, abs=0.01))
    assert aac.audio == AudioTrack("aac", False, pytest.approx(0.0, abs=0.03))


def test_album_cover_is_not_video(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        audio = container.add_stream("aac", rate=48000)
        container.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
        for frame in tone(audio, 0.5):
            container.mux(audio.encode(frame))
        container.mux(list(itertools.chain(cover.encode(None), audio.encode(None))))
    info = read_media_info(str(path))
    assert info.video is None
    assert info.audio == AudioTrack("aac", False, pytest.approx(0.0, abs=0.03))


@pytest.mark.parametrize(
    ("content", "message"), [(None, "No such file"), (b"", "is empty"), (b"text\n" * 99, "Invalid data")]
)
def test_unreadable_file_raises_with_its_path(tmp_path, content, message):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        read_media_info(str(path))
    assert caught.value.reason == "file"
    assert str(path) in caught.value.detail


def test_damaged_file_is_readable(tmp_path):
    path = tmp_path / "a.ts"
    make_file(path, seconds=2)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    assert read_media_info(str(path)).video.width == WIDTH


def test_channel_list_is_decoded_in_native_order(tmp_path):
    """Libav represents such a layout as a list, which PyAV 18 frees more than once, so that the process would abort."""
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=48000, layout="5.1")
        for frame in tone(audio, 0.5):
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    data = bytearray(path.read_bytes())
    tag = data.index(b"chan") + 8
    data[tag : tag + 4] = (123 << 16 | 6).to_bytes(4, "big")  # kAudioChannelLayoutTag_MPEG_5_1_C: L C R Ls Rs LFE
    path.write_bytes(data)
    with closing(Demuxer(str(path))) as demuxer:
        frames = [frame for packet in demuxer.packets() for frame in decode(demuxer.audio, packet)]
        assert {frame.layout.name for frame in frames} == {"5.1"}
    assert sum(frame.samples for frame in frames) == 23 * 1024
