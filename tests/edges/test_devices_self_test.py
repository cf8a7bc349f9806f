"""Tests of encoder and sources for the doctor, and level measurement."""

import array
import math

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.devices.loudness import Loudness
from broadcaster.devices.opus import FRAME_SAMPLES, RATE, OpusEncoder
from broadcaster.devices.self_test import (
    Limits,
    measure_encoding_speed,
    measure_encoding_speed_of_both,
    run_audio_test,
    run_video_test,
)
from broadcaster.devices.small import SmallVideo
from broadcaster.devices.testcard.beep import Beep
from broadcaster.devices.testcard.source import TestCard
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.settings import VideoSettings

SHORT = Limits(first_item=0.3, measuring=0.3, closing=0.2)
LONG = Limits(first_item=10.0, measuring=0.5, closing=10.0)


def measure_tone(amplitude: float, channels: int) -> Loudness:
    """Return the level of a 440 Hz tone through Opus."""
    encoder, meter = OpusEncoder(channels), Loudness()
    for frame in range(40):
        tone = array.array("h")
        for sample in range(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES):
            tone.extend([round(32767 * amplitude * math.sin(2 * math.pi * 440 * sample / RATE))] * channels)
        packet, _ = encoder.encode(tone.tobytes())
        meter.add(packet)
    return meter


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("amplitude", [0.5, 0.01])
def test_level_of_a_tone_is_measured(amplitude, channels):
    meter = measure_tone(amplitude, channels)
    assert meter.peak == pytest.approx(20 * math.log10(amplitude), abs=1.5)
    assert meter.rms == pytest.approx(20 * math.log10(amplitude / math.sqrt(2)), abs=1.0)


def test_silence_has_no_level():
    assert Loudness().rms is Loudness().peak is None
    meter = measure_tone(0.0, 1)
    assert meter.rms is None or meter.rms < -80


def test_invalid_packet_raises():
    with pytest.raises(SourceError):
        Loudness().add(b"\xff" * 3)


def test_encoding_speed_is_measured():
    small = VideoSettings(width=160, height=90, fps=10)
    assert measure_encoding_speed(small, 0.2) > 20


def test_encoding_speed_of_both_renditions_is_measured_with_both_encoders(monkeypatch):
    encoded, encode = [], Encoder.encode

    def count(encoder, picture, captured):
        encoded.append((picture.width, picture.height))
        return encode(encoder, picture, captured)

    monkeypatch.setattr(Encoder, "encode", count)
    assert measure_encoding_speed_of_both(VideoSettings(width=320, height=180, fps=10), (160, 90), 0.2) > 0
    assert set(encoded) == {(320, 180), (160, 90)}
    assert encoded.count((320, 180)) == encoded.count((160, 90))


async def test_small_rendition_is_tried_beside_the_full_one():
    small = SmallVideo((160, 90), 100_000)
    card = TestCard(SystemClock(), width=320, height=180, fps=30, bitrate=300_000, keyframe_interval=2.0, small=small)
    result = await run_video_test(card, LONG)
    assert (result.error, result.closed) == (None, True)
    assert result.small is not None
    assert result.small.error is None
    assert 0 < result.small.fps < 45
    assert 0 < result.small.full_fps < 45


async def test_failed_small_rendition_is_reported_with_its_error(monkeypatch):
    monkeypatch.setattr("broadcaster.devices.small.MAX_LOAD", 0.0)
    small = SmallVideo((160, 90), 100_000)
    card = TestCard(SystemClock(), width=320, height=180, fps=30, bitrate=300_000, keyframe_interval=2.0, small=small)
    result = await run_video_test(card, LONG)
    assert result.error is None
    assert result.small is not None
    assert (result.small.fps, "no time for a second encoder" in result.small.error.detail) == (0.0, True)


async def test_camera_is_measured_and_closed():
    camera = FakeCamera(SystemClock(), real_time=True)
    result = await run_video_test(camera, LONG)
    assert result.error is None
    assert result.closed
    assert result.startup is not None
    assert result.startup < 5
    assert 0 < result.fps < 45
    assert (result.traits, result.small) == (camera.traits, None)
    assert (camera.opened, camera.closed, camera.is_open) == (1, 1, False)


async def test_camera_that_cannot_be_opened_reports_its_error():
    camera = FakeCamera(SystemClock(), real_time=True)
    camera.fail_open(StreamReason.CAMERA_BUSY, "taken")
    result = await run_video_test(camera, SHORT)
    assert (result.error.reason, result.error.detail, result.startup) == (StreamReason.CAMERA_BUSY, "taken", None)


async def test_camera_that_delivers_nothing_has_no_error():
    camera = FakeCamera(SystemClock())
    result = await run_video_test(camera, SHORT)
    assert (result.error, result.startup, result.fps, result.closed) == (None, None, 0.0, True)


class HangingCamera(FakeCamera):
    """Is lost as soon as it is open, and hangs when it is closed."""

    async def open(self, sink, small=None):
        await super().open(sink)
        sink.failed(SourceError(StreamReason.CAMERA_LOST, "gone"))

    async def close(self):
        await super().close()
        raise DeviceHung("it hangs")


async def test_lost_camera_that_cannot_be_closed_is_reported():
    result = await run_video_test(HangingCamera(SystemClock()), SHORT)
    assert (result.error.reason, result.closed) == (StreamReason.CAMERA_LOST, False)


async def test_audio_level_of_the_test_tone_is_measured():
    result = await run_audio_test(Beep(SystemClock()), Limits(first_item=10.0, measuring=1.2, closing=10.0))
    assert result.error is None
    assert result.frames > 10
    assert result.peak is not None
    assert -30 < result.peak < 0


async def test_microphone_that_fails_reports_its_error():
    microphone = FakeMicrophone(SystemClock(), real_time=True)
    microphone.fail_open(StreamReason.INTERNAL, "unplugged")
    result = await run_audio_test(microphone, SHORT)
    assert (result.error.detail, result.frames, result.rms) == ("unplugged", 0, None)
