"""The sources `test` in real time: pacing, timestamps, flash and beep in sync, prompt close."""

import time

import av
import pytest

from broadcaster.devices.choose import make_sources
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.opus import RATE
from broadcaster.devices.testcard import strip
from broadcaster.devices.testcard.beep import Beep
from broadcaster.devices.testcard.source import TestCard
from broadcaster.media.h264 import is_keyframe
from broadcaster.settings import AudioSettings, VideoSettings
from tests.edges.devices_rig import decoded, opened, steps


def new_card(fps: float = 30) -> TestCard:
    return TestCard(SystemClock(), width=320, height=180, fps=fps, bitrate=300_000, keyframe_interval=2.0)


def read_strip(frame) -> strip.Reading | None:
    plane = frame.planes[0]
    return strip.read(bytes(plane)[175 * plane.line_size :][: frame.width])


async def test_pictures_have_number_and_capture_time_in_the_strip():
    offset = time.time() - time.monotonic()
    async with opened(new_card()) as sink:
        units = (await sink.until(20))[:20]
    readings = [read_strip(frame) for frame in decoded(units)]
    assert [reading.number for reading in readings] == list(range(20))
    for unit, content in zip(units, readings, strict=True):
        assert ((unit.captured + offset) * 1000 - content.unix_ms + 500) % 2**20 == pytest.approx(500, abs=20)
    assert units[0].keyframe
    assert all(step > 0 for step in steps(units))


async def test_camera_like_pattern_has_large_keyframes():
    settings = VideoSettings(source="test", test_pattern="camera", width=320, height=180, bitrate=300_000)
    card, _ = make_sources(settings, AudioSettings(source="none"), SystemClock())
    async with opened(card) as sink:
        units = (await sink.until(30))[:30]
    others = [len(unit.data) for unit in units if not unit.keyframe]
    assert len(others) == 29
    assert len(units[0].data) > 7 * sum(others) / len(others)


async def test_slow_first_picture_is_not_logged_as_overload(monkeypatch, caplog):
    """It opens the encoder, which takes as long as several pictures from a slow SD card."""
    encode, calls = Encoder.encode, []

    def slow_at_first(encoder, picture, captured):
        calls.append(captured)
        if len(calls) == 1:
            time.sleep(0.5)
        return encode(encoder, picture, captured)

    monkeypatch.setattr(Encoder, "encode", slow_at_first)
    async with opened(new_card(fps=5)) as sink:
        units = await sink.until(3)
    assert not caplog.records
    assert units[1].captured - units[0].captured > 0.5


async def test_skipped_pictures_are_logged(monkeypatch, caplog):
    encode = Encoder.encode

    def slow(encoder, picture, captured):
        time.sleep(0.2)
        return encode(encoder, picture, captured)

    monkeypatch.setattr(Encoder, "encode", slow)
    async with opened(new_card(fps=30)) as sink:
        await sink.until(4)
    assert any("test pictures skipped" in message for message in caplog.messages)


async def test_requested_keyframe_comes_within_two_pictures():
    card = new_card()
    async with opened(card) as sink:
        await sink.until(3)
        before = len(sink.items)
        card.request_keyframe()
        units = (await sink.until(before + 3))[before : before + 3]
    assert any(unit.keyframe and is_keyframe(unit.data) for unit in units[:2])


async def test_close_is_prompt_and_the_source_can_be_reopened():
    card = new_card(fps=1)
    async with opened(card) as sink:
        await sink.until(1)
        await card.close()  # while the next picture is due in nearly a second
        await card.close()
        assert len(sink.items) == 1
    card.request_keyframe()
    card.set_bitrate(100_000)
    async with opened(card) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_audio_frames_are_20_ms_apart_and_not_early():
    async with opened(Beep(SystemClock())) as sink:
        frames = (await sink.until(15))[:15]
        assert frames[0].captured < time.monotonic()
    for step in steps(frames):
        assert round(step / 0.02) * 0.02 == pytest.approx(step, abs=1e-6)
    assert steps(frames).count(pytest.approx(0.02, abs=1e-6)) >= 10


async def test_beep_begins_at_the_full_second():
    offset = time.time() - time.monotonic()
    async with opened(Beep(SystemClock())) as sink:
        await sink.until(60, limit=20)
    onset = onset_of(sink.items)
    assert abs((onset + offset + 0.5) % 1.0 - 0.5) < 0.005


def onset_of(frames) -> float:
    """Return the monotonic time at which silence ends."""
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = RATE
    quiet = False
    for opus in frames:
        for frame in decoder.decode(av.Packet(opus.data)):
            samples = memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples]
            loud = [index for index, sample in enumerate(samples) if abs(sample) > 0.02]
            if loud and quiet:
                return opus.captured + loud[0] / RATE
            quiet = not loud
    raise AssertionError("no beep")
