"""The sources `file` in real time: passthrough or encoded, looped without a gap, video and audio in sync."""

import asyncio
import logging
import time

import av
import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.file.audio import FileAudio
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.video import FileVideo
from broadcaster.devices.opus import FRAME_SAMPLES
from broadcaster.devices.scaler import Scaler
from broadcaster.media.h264 import is_keyframe
from broadcaster.media.opus import packet_samples
from tests.edges.devices_rig import FPS, HEIGHT, WIDTH, Sink, decoded, make_file, opened, peak_levels, steps, times

HIGH = {"profile": "high", "preset": "veryfast", "bf": "2"}


def video_source(file: MediaFile, width: int = WIDTH, height: int = HEIGHT) -> FileVideo:
    return FileVideo(SystemClock(), file, width=width, height=height, fps=30, bitrate=400_000, keyframe_interval=1.0)


async def play(path: str, count: int) -> tuple[FileVideo, list]:
    """Return the video source of a file after its first `count` pictures, and these."""
    video = video_source(MediaFile(path))
    async with opened(video) as sink:
        return video, (await sink.until(count))[:count]


async def test_baseline_passes_through_and_loops_without_a_gap(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = make_file(tmp_path / "a.mp4", seconds=0.4)
    video, units = await play(path, 25)
    assert steps(units) == pytest.approx([1 / FPS] * 24)
    assert [index for index, unit in enumerate(units) if unit.keyframe] == [0, 10, 20]
    assert [is_keyframe(unit.data) for unit in units] == [unit.keyframe for unit in units]
    assert units[0].data == units[10].data
    assert len(decoded(units)) == 25
    assert (video.traits.can_force_keyframe, video.traits.can_set_bitrate) == (False, False)
    assert [record.message for record in caplog.records] == [f"{path}: its H.264 passes through without encoding"]


async def test_other_video_is_encoded_and_loops_without_a_gap(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = make_file(tmp_path / "a.mp4", seconds=0.4, options=HIGH)
    video, units = await play(path, 25)
    # On a busy machine pictures may be skipped, but all are where they belong.
    assert [round(step * FPS, 3) % 1 for step in steps(units)] == [0.0] * 24
    assert steps(units).count(pytest.approx(1 / FPS)) > 15
    assert len(decoded(units)) == 25
    assert (video.traits.encoder, video.traits.can_force_keyframe, video.traits.can_set_bitrate) == (
        "libx264",
        True,
        True,
    )
    assert f"{path}: encoded as {WIDTH}x{HEIGHT}, because its profile is High" in caplog.text


async def test_pictures_are_not_delivered_before_they_are_due(tmp_path):
    video = video_source(MediaFile(make_file(tmp_path / "a.mp4")))
    async with opened(video) as sink:
        await sink.until(10)
        assert max(times(sink.items)) <= time.monotonic()
        began = sink.items[0].captured
        await sink.until(20)
        assert time.monotonic() - began > 19 / FPS


async def test_requested_keyframe_is_forced_when_encoding(tmp_path):
    path = make_file(tmp_path / "a.mp4", seconds=4.0, options={**HIGH, "g": "100"})
    video = video_source(MediaFile(path))
    async with opened(video) as sink:
        await sink.until(5)
        before = len(sink.items)
        video.request_keyframe()
        video.set_bitrate(200_000)
        units = (await sink.until(before + 3))[before:]
    assert any(unit.keyframe for unit in units[:2])


@pytest.mark.parametrize(
    ("options", "box", "size"),
    [
        ({"size": (640, 360), "options": HIGH}, (320, 320), (320, 180)),
        ({"size": (160, 120), "options": HIGH}, (320, 180), (160, 120)),
        ({"size": (320, 180), "options": HIGH, "rotation": 90}, (320, 180), (102, 180)),
        (
            {"video": "libvpx-vp9", "size": (320, 180), "options": {"deadline": "realtime", "cpu-used": "8"}},
            (320, 180),
            (320, 180),
        ),
    ],
    ids=["too large", "small", "rotated", "vp9"],
)
async def test_video_is_scaled_to_fit(tmp_path, options, box, size):
    path = make_file(tmp_path / ("a.webm" if "video" in options else "a.mp4"), seconds=0.4, **options)
    video = video_source(MediaFile(path), *box)
    async with opened(video) as sink:
        frame = decoded((await sink.until(3))[:3])[0]
    assert (frame.width, frame.height) == size
    assert (video.traits.width, video.traits.height) == size


def test_rotated_picture_becomes_upright(tmp_path):
    """With the camera rotated by 90 degrees, the sensor's right edge is at the top of the upright picture."""
    path = make_file(tmp_path / "a.mp4", seconds=0.2, rotation=90)
    with av.open(path) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == 90  # counterclockwise
    upright = Scaler(HEIGHT, WIDTH).fit(frame)
    right_edge = [bytes(frame.planes[0])[y * frame.planes[0].line_size + WIDTH - 4] for y in range(HEIGHT)]
    top_row = bytes(upright.planes[0])[3 * upright.planes[0].line_size :][:HEIGHT]
    assert sum(abs(a - b) for a, b in zip(right_edge, top_row, strict=True)) / HEIGHT < 8


async def test_audio_is_opus_in_20_ms_frames_over_two_loops(tmp_path):
    file = MediaFile(make_file(tmp_path / "a.mp4", audio="aac", seconds=0.3, audio_seconds=0.5))
    async with opened(FileAudio(SystemClock(), file)) as sink:
        frames = (await sink.until(40))[:40]
    assert {packet_samples(frame.data) for frame in frames} == {FRAME_SAMPLES}
    assert steps(frames) == pytest.approx([0.02] * 39, abs=1e-6)


async def test_opus_passes_through(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = make_file(tmp_path / "a.mkv", audio="libopus", seconds=0.3)
    with av.open(path) as container:
        packets = {bytes(packet) for packet in container.demux(audio=0) if packet.size}
    async with opened(FileAudio(SystemClock(), MediaFile(path))) as sink:
        frames = (await sink.until(25))[:25]
    assert {frame.data for frame in frames} <= packets
    assert all(0.0199 < step < 0.05 for step in steps(frames))
    assert f"{path}: its audio (opus) passes through without encoding" in caplog.text


async def test_audio_shorter_than_the_video_is_followed_by_silence(tmp_path):
    """0.2 s of audio and 0.4 s of silence in each loop, by frames of 20 ms: frames are never skipped.

    The audio is opened when the video plays: without a video on the timeline a loop would end with the audio. It may
    join near the end of the first loop, so frames count from the first one that is not silent, where a loop begins.
    """
    path = make_file(tmp_path / "a.mp4", audio="aac", seconds=0.6, audio_seconds=0.2)
    file = MediaFile(path)
    source = FileAudio(SystemClock(), file)
    async with opened(video_source(file)) as video:
        await video.until(1)
        async with opened(source) as audio:
            frames = (await audio.until(50))[:50]
    is_loud = [level > 0.01 for level in peak_levels(frames)]
    start = is_loud.index(True)
    assert start <= 10
    loop = is_loud[start:]
    assert all(loop[1:9])
    assert not any(loop[12:29])
    assert all(loop[32:39])  # the next loop


async def test_video_and_audio_share_a_timeline(tmp_path):
    file = MediaFile(make_file(tmp_path / "a.mp4", audio="aac", seconds=0.6))
    async with opened(video_source(file)) as video, opened(FileAudio(SystemClock(), file)) as audio:
        await video.until(20)
        await audio.until(40)
    assert video.items[15].keyframe  # the second loop has begun
    # The encoder's look-ahead is 6.5 ms, so that much of the first frame is before the beginning.
    assert video.items[0].captured - audio.items[0].captured == pytest.approx(0.0065, abs=0.001)


async def test_source_opened_later_joins_at_the_current_position(tmp_path):
    file = MediaFile(make_file(tmp_path / "a.mp4", audio="aac", seconds=3.0))
    async with opened(video_source(file)) as video:
        await video.until(round(1.2 * FPS))
        async with opened(FileAudio(SystemClock(), file)) as audio:
            await audio.until(3)
            assert audio.items[0].captured > video.items[0].captured + 1.1
            assert abs(audio.items[2].captured - time.monotonic()) < 0.3


async def test_playback_restarts_after_all_sources_closed(tmp_path):
    video = video_source(MediaFile(make_file(tmp_path / "a.mp4", seconds=3.0)))
    first = []
    for _ in range(2):
        async with opened(video) as sink:
            first.append((await sink.until(5))[0])
    assert first[0].data == first[1].data
    assert first[1].captured > first[0].captured


async def test_close_is_prompt_and_nothing_is_delivered_after(tmp_path):
    file = MediaFile(make_file(tmp_path / "a.mp4", audio="aac", options=HIGH))
    video, audio = video_source(file), FileAudio(SystemClock(), file)
    video_sink, audio_sink = Sink(), Sink()
    await video.open(video_sink)
    await audio.open(audio_sink)
    await video_sink.until(3)
    began = time.monotonic()
    await asyncio.gather(video.close(), audio.close())
    assert time.monotonic() - began < 2
    counts = len(video_sink.items), len(audio_sink.items)
    await asyncio.sleep(0.1)
    assert counts == (len(video_sink.items), len(audio_sink.items))
