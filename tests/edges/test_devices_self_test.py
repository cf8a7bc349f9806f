"""Trials of encoder and sources, and how loud sound is."""

import array
import math

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.devices.loudness import Loudness
from broadcaster.devices.opus import FRAME_SAMPLES, RATE, OpusEncoder
from broadcaster.devices.self_test import Limits, measure_encoding_speed, run_audio_test, run_video_test
from broadcaster.devices.testcard.beep import Beep
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.settings import VideoSettings

SHORT = Limits(first_item=0.3, measuring=0.3, closing=0.2)
LONG = Limits(first_item=10.0, measuring=0.5, closing=10.0)


def loudness(amplitude: float, channels: int) -> Loudness:
    """Of a tone of 440 Hz through Opus, after its beginning."""
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
def test_a_tone_is_as_loud_as_it_was(amplitude, channels):
    meter = loudness(amplitude, channels)
    assert meter.peak == pytest.approx(20 * math.log10(amplitude), abs=1.5)
    assert meter.rms == pytest.approx(20 * math.log10(amplitude / math.sqrt(2)), abs=1.0)


def test_silence_has_no_level():
    assert Loudness().rms is Loudness().peak is None
    meter = loudness(0.0, 1)
    assert meter.rms is None or meter.rms < -80


def test_what_is_no_packet_is_said():
    with pytest.raises(SourceError):
        Loudness().add(b"\xff" * 3)


def test_the_encoder_is_driven_flat_out():
    small = VideoSettings(width=160, height=90, fps=10)
    assert measure_encoding_speed(small, 0.2) > 20


async def test_a_camera_is_watched_and_closed():
    camera = FakeCamera(SystemClock(), real_time=True)
    seen = await run_video_test(camera, LONG)
    assert seen.error is None
    assert seen.closed
    assert seen.startup is not None
    assert seen.startup < 5
    assert 0 < seen.fps < 45
    assert seen.traits == camera.traits
    assert (camera.opened, camera.closed, camera.is_open) == (1, 1, False)


async def test_a_camera_that_cannot_be_opened():
    camera = FakeCamera(SystemClock(), real_time=True)
    camera.fail_open(StreamReason.CAMERA_BUSY, "taken")
    seen = await run_video_test(camera, SHORT)
    assert (seen.error.reason, seen.error.detail, seen.startup) == (StreamReason.CAMERA_BUSY, "taken", None)


async def test_a_camera_that_gives_nothing():
    camera = FakeCamera(SystemClock())
    seen = await run_video_test(camera, SHORT)
    assert (seen.error, seen.startup, seen.fps, seen.closed) == (None, None, 0.0, True)


class Stubborn(FakeCamera):
    """It is lost as soon as it is open, and will not be closed."""

    async def open(self, sink):
        await super().open(sink)
        sink.failed(SourceError(StreamReason.CAMERA_LOST, "gone"))

    async def close(self):
        await super().close()
        raise DeviceHung("it hangs")


async def test_a_camera_that_is_lost_and_cannot_be_closed():
    seen = await run_video_test(Stubborn(SystemClock()), SHORT)
    assert (seen.error.reason, seen.closed) == (StreamReason.CAMERA_LOST, False)


async def test_the_beep_is_heard():
    heard = await run_audio_test(Beep(SystemClock()), Limits(first_item=10.0, measuring=1.2, closing=10.0))
    assert heard.error is None
    assert heard.frames > 10
    assert heard.peak is not None
    assert -30 < heard.peak < 0


async def test_a_microphone_that_fails_is_heard_of():
    microphone = FakeMicrophone(SystemClock(), real_time=True)
    microphone.fail_open(StreamReason.INTERNAL, "unplugged")
    heard = await run_audio_test(microphone, SHORT)
    assert (heard.error.detail, heard.frames, heard.rms) == ("unplugged", 0, None)
