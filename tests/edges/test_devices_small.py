"""The small rendition of sources that encode in software: size, capture times, start, stop, and what is refused."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import av
import pytest

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.small import SmallEncoder, SmallVideo, small_video
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.errors import StreamReason
from broadcaster.model.stream import Quality
from broadcaster.ports import VideoSource
from broadcaster.settings import AudioSettings, VideoSettings
from tests.edges.devices_rig import BASELINE, Sink, decoded, make_file, times


def new_source(**settings) -> VideoSource:
    values = {"source": "test", "width": 640, "height": 360, "second": "320x180", "fps": 30, "keyframe_interval": 2.0}
    source, _ = make_sources(VideoSettings(**values | settings), AudioSettings(source="none"), SystemClock())
    return source


@pytest.fixture(params=["test", "transcoded file", "passed file"])
async def source(request, tmp_path):
    if request.param == "test":
        return new_source()
    options = {"g": "250", "profile": "high"} if request.param == "transcoded file" else BASELINE
    path = make_file(tmp_path / "film.mp4", size=(640, 360), seconds=2.0, options=options)
    return new_source(source="file", file=path)


async def opened_both(source: VideoSource) -> tuple[Sink, Sink]:
    full, small = Sink(), Sink()
    await source.open(full, small)
    await full.until(2)
    return full, small


async def test_small_rendition_has_its_size_and_the_capture_times_of_the_full_one(source):
    full, small = await opened_both(source)
    source.encode_small(True)
    units = await small.until(12)
    await source.close()
    assert source.traits.small_size == (320, 180)
    assert units[0].keyframe
    assert {(frame.width, frame.height) for frame in decoded(units)} == {(320, 180)}
    assert set(times(units)) <= set(times(full.items))
    assert {(frame.width, frame.height) for frame in decoded(full.items)} == {(640, 360)}


async def test_small_encoder_runs_only_while_it_is_on(source):
    full, small = await opened_both(source)
    await full.until(10)
    assert small.items == []
    source.encode_small(True)
    await small.until(5)
    source.encode_small(False)
    await full.until(len(full.items) + 3)
    count = len(small.items)
    await full.until(len(full.items) + 10)
    assert len(small.items) == count
    source.encode_small(True)
    units = await small.until(count + 1)
    await source.close()
    assert units[count].keyframe


async def test_keyframes_and_bit_rate_go_to_the_rendition_that_is_named():
    source = new_source(keyframe_interval=30.0)
    full, small = await opened_both(source)
    source.encode_small(True)
    await small.until(5)
    source.request_keyframe(Quality.SMALL)
    await small.until(20)
    source.set_bitrate(100_000, Quality.SMALL)
    await small.until(60)
    await source.close()
    assert [unit.keyframe for unit in full.items].count(True) == 1
    assert [unit.keyframe for unit in small.items].count(True) == 2 + 1  # a much lower rate needs a keyframe, too
    before, after = ([len(unit.data) for unit in small.items[part]] for part in (slice(6, 20), slice(30, 60)))
    assert sum(after) / len(after) < 0.6 * sum(before) / len(before)


async def test_bit_rate_that_was_set_while_off_is_used(monkeypatch):
    rates: list[int] = []
    create = Encoder.__init__

    def remember(encoder, **options):
        rates.append(options["bitrate"])
        create(encoder, **options)

    monkeypatch.setattr(Encoder, "__init__", remember)
    source = new_source(second_bitrate=300_000)
    _, small = await opened_both(source)
    source.set_bitrate(200_000, Quality.SMALL)
    source.encode_small(True)
    await small.until(1)
    await source.close()
    assert rates[1:] == [200_000]


async def test_failure_of_the_small_encoder_leaves_the_full_rendition_alone(monkeypatch):
    monkeypatch.setattr(Encoder, "load", property(lambda _: 0.8))
    source = new_source()
    full, small = await opened_both(source)
    source.encode_small(True)
    error = await small.failure()
    await full.until(len(full.items) + 5)
    await source.close()
    assert (error.reason, full.errors) == (StreamReason.ENCODER, [])
    assert "80% of the frame interval" in error.detail


async def test_without_a_sink_nothing_is_encoded_a_second_time():
    source = new_source()
    full = Sink()
    await source.open(full)
    source.encode_small(True)
    source.request_keyframe(Quality.SMALL)
    source.set_bitrate(100_000, Quality.SMALL)
    await full.until(5)
    await source.close()
    await asyncio.sleep(0)
    assert full.errors == []


@pytest.mark.parametrize(
    ("second", "size", "small", "reason"),
    [
        ("auto", (1280, 720), (640, 360), ""),
        ("auto", (1920, 1080), (640, 360), ""),
        ("auto", (1024, 768), (480, 360), ""),
        ("auto", (720, 1280), (202, 360), ""),
        ("320x180", (640, 360), (320, 180), ""),
        ("off", (1280, 720), None, "video.second is off"),
        ("auto", (640, 480), None, "the video of 640x480 is too small for a second rendition of 480x360"),
    ],
)
def test_size_or_reason(second, size, small, reason):
    video = small_video(VideoSettings(second=second))
    assert (video.size(*size), video.obstacle(*size)) == (small, reason)


def test_no_box_means_no_small_rendition():
    assert SmallVideo(None, 0).encoder(Sink(), 1280, 720, 2.0) is None


def test_prepared_picture_is_encoded_as_others_are():
    pattern = Pattern(640, 360, 30)
    sinks, call = (Sink(), Sink()), lambda function, value: function(value)
    prepared, other = (SmallEncoder(sink, 100_000, (320, 180), 2.0) for sink in sinks)
    prepared.prepare(pattern.draw(0, 0.0))  # while it is off
    for encoder in (prepared, other):
        encoder.turn(True)
    for number in range(10):
        picture = pattern.draw(number, number / 30)
        prepared.prepare(picture if number != 5 else pattern.draw(99, 3.3))  # another one than is fed
        for encoder in (prepared, other):
            encoder.feed(picture, number / 30, 30, 0.0, call)
    assert [unit.data for unit in sinks[0].items] == [unit.data for unit in sinks[1].items]
    assert len(sinks[0].items) == 10


def test_picture_that_cannot_be_scaled_ends_the_small_rendition_only_when_it_is_fed():
    sink = Sink()
    encoder = SmallEncoder(sink, 100_000, (320, 180), 2.0)
    encoder.turn(True)
    picture = Pattern(640, 360, 30).draw(0, 0.0)
    encoder._scaler.fit = Mock(side_effect=av.FFmpegError(22, "Invalid argument"))
    encoder.prepare(picture)
    assert encoder.is_on
    failed = []
    encoder.feed(picture, 0.0, 30, 0.0, lambda function, value: failed.append(value))
    assert not encoder.is_on
    assert [error.reason for error in failed] == [StreamReason.ENCODER]
