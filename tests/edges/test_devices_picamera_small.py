"""The small rendition of CSI cameras: a second hardware encoder beside the first, or libx264 for both."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import AsyncIterator

import pytest

from broadcaster.devices.fakes import canned
from broadcaster.devices.picamera import hardware, isolated_encoder
from broadcaster.devices.picamera.configuration import BUFFERS
from broadcaster.devices.picamera.source import CsiCamera
from broadcaster.errors import StreamReason
from broadcaster.model.stream import Quality
from tests.edges.devices_rig import Sink, decoded, times
from tests.edges.picamera_rig import PI_4, ZERO_2_W, new_camera, simulated_pi, until
from tests.rigs.codec import CodecContext
from tests.rigs.picamera2 import SimulatedPi

SECOND = "160x90"
BITRATE = "V4L2_CID_MPEG_VIDEO_BITRATE"
KEYFRAME = "V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME"


@pytest.fixture
def pi(monkeypatch):
    canned.pictures(160, 90)  # encoded before the test, so that starting the simulated encoder takes no time
    yield from simulated_pi(monkeypatch)


@contextlib.asynccontextmanager
async def both(camera: CsiCamera) -> AsyncIterator[tuple[Sink, Sink]]:
    """Open the camera and wait for its first pictures; yield the sinks of both renditions."""
    full, small = Sink(), Sink()
    await camera.open(full, small)
    try:
        await full.until(2)
        yield full, small
    finally:
        await camera.close()


@contextlib.asynccontextmanager
async def both_running(pi: SimulatedPi) -> AsyncIterator[tuple[CsiCamera, Sink, Sink, CodecContext]]:
    """Open a Pi 4's camera with both encoders; yield it, both sinks and the second encoder's context."""
    camera = new_camera(PI_4, second=SECOND)
    async with both(camera) as (full, small):
        camera.encode_small(True)
        await small.until(3)
        yield camera, full, small, pi.codec.contexts[1]


async def goes_on(sink: Sink, count: int = 12) -> None:
    """Wait for more pictures than the camera has buffers."""
    await sink.until(len(sink.items) + count)


# The hardware encoder


async def test_second_encoder_runs_only_while_it_is_on(pi):
    camera = new_camera(PI_4, second=SECOND)
    async with both(camera) as (full, small):
        await goes_on(full)
        assert (pi.codec.opened, small.items) == (1, [])
        assert camera.traits.small_size == (160, 90)
        for opened in (2, 3):
            seen = len(small.items)
            camera.encode_small(True)
            camera.encode_small(True)
            units = await small.until(seen + 5)
            assert [unit.keyframe for unit in units[seen : seen + 5]] == [True] + [False] * 4
            camera.encode_small(False)
            await until(lambda: pi.codec.contexts[-1].closed)
            assert pi.codec.opened == opened
        count = len(small.items)
        await goes_on(full)
        assert len(small.items) == count
        assert not pi.codec.contexts[0].closed
    assert (full.errors, small.errors) == ([], [])


async def test_both_encoders_get_the_same_pictures_with_the_same_capture_times(pi):
    async with both_running(pi) as (_, full, small, context):
        await small.until(12)
        await goes_on(full)
    assert set(times(small.items)) <= set(times(full.items))
    assert {(frame.width, frame.height) for frame in decoded(small.items)} == {(160, 90)}
    assert {(frame.width, frame.height) for frame in decoded(full.items)} == {(320, 180)}
    # Both contexts count from their own first picture; the second one's is `offset` after the first one's.
    first = pi.codec.contexts[0]
    offset = round((small.items[0].captured - full.items[0].captured) * 1e6)
    shared = {moment: level for moment, level in context.pictures.items() if moment + offset in first.pictures}
    assert len(shared) >= 10
    assert all(first.pictures[moment + offset] == level for moment, level in shared.items())


async def test_keyframes_and_bit_rate_go_to_the_encoder_of_that_rendition(pi):
    camera = new_camera(PI_4, second=SECOND, second_bitrate=210_000)
    async with both(camera) as (full, small):
        camera.set_bitrate(310_000, Quality.SMALL)
        camera.request_keyframe(Quality.SMALL)
        camera.encode_small(True)
        await small.until(3)
        camera.request_keyframe(Quality.SMALL)
        camera.set_bitrate(120_000, Quality.SMALL)
        camera.set_bitrate(450_000)
        await until(lambda: [unit.keyframe for unit in small.items].count(True) == 2)
        await until(lambda: (BITRATE, 450_000) in pi.codec.contexts[0].log)
    logs = [[entry for entry in context.log if entry[0] in (BITRATE, KEYFRAME)] for context in pi.codec.contexts]
    assert logs[0] == [(BITRATE, 500_000), (BITRATE, 450_000)]
    assert sorted(logs[1], key=str) == [(BITRATE, 100_000), (BITRATE, 300_000), (KEYFRAME, 1)]
    assert [unit.keyframe for unit in full.items[:12]].count(True) == 1


async def test_stopping_the_second_encoder_does_not_hold_up_the_camera(pi, monkeypatch):
    monkeypatch.setattr(hardware, "STOP_LIMIT", 30.0)
    async with both_running(pi) as (camera, full, small, context):
        context.poll_gate = threading.Event()  # picamera2 waits for the encoder's thread, on a board up to 0.4 s
        await until(lambda: context.is_at_gate)
        camera.encode_small(False)
        await goes_on(full)
        assert not context.closed
        context.poll_gate.set()
        await until(lambda: context.closed)
        assert (full.errors, small.errors) == ([], [])


async def test_closing_with_both_encoders_leaves_nothing_open(pi):
    descriptors = []
    for _ in range(2):
        async with both_running(pi):
            assert not pi.codec.closed
        assert pi.codec.closed
        assert not pi.system.has_open_devices
        assert not pi.sensor.is_open
        pi.codec.contexts.clear()
        descriptors.append(len(os.listdir("/proc/self/fd")))
    assert descriptors[0] == descriptors[1]


# Failures of the second encoder


async def assert_only_second_failed(pi: SimulatedPi, full: Sink, small: Sink, text: str) -> None:
    """Wait for the failure; then the second encoder is closed and the camera continues with all its buffers."""
    error = await small.failure(10.0)
    assert error.reason is StreamReason.ENCODER
    assert text in error.detail
    await until(lambda: all(context.closed for context in pi.codec.contexts[1:]))
    await goes_on(full)
    await until(lambda: pi.idle_buffers == BUFFERS)
    assert full.errors == []
    assert len(small.errors) == 1
    assert not pi.codec.contexts[0].closed


@pytest.mark.parametrize("call", ["open", "VIDIOC_REQBUFS", "VIDIOC_STREAMON", "VIDIOC_S_FMT"])
async def test_second_encoder_that_does_not_start(pi, call):
    camera = new_camera(PI_4, second=SECOND)
    async with both(camera) as (full, small):
        threads = threading.active_count()
        pi.codec.errors[call] = OSError(12, "Cannot allocate memory")
        camera.encode_small(True)
        camera.request_keyframe(Quality.SMALL)
        camera.set_bitrate(100_000, Quality.SMALL)
        error = await small.failure()
        assert "cannot start the second encoder ([Errno 12] Cannot allocate memory)" in error.detail
        await until(lambda: threading.active_count() <= threads)
        await until(lambda: all(context.closed for context in pi.codec.contexts[1:]))
        pi.codec.errors.clear()
        await goes_on(full)
        assert (full.errors, len(small.errors)) == ([], 1)


@pytest.mark.parametrize("call", ["VIDIOC_QBUF", "VIDIOC_DQBUF"])
async def test_second_encoder_whose_driver_fails(pi, call):
    async with both_running(pi) as (_, full, small, context):
        context.errors[call] = OSError(5, "Input/output error")
        await assert_only_second_failed(pi, full, small, "Input/output error")


@pytest.mark.parametrize("fault", ["is_stalled", "is_mute", "is_broken"])
async def test_second_encoder_that_stalls_is_stopped_and_the_camera_goes_on(pi, monkeypatch, caplog, fault):
    monkeypatch.setattr(isolated_encoder, "PATIENCE", 0.5)
    monkeypatch.setattr(hardware, "STOP_LIMIT", 0.1)
    threads = threading.active_count()
    async with both_running(pi) as (_, full, small, context):
        setattr(context, fault, True)
        await goes_on(full, 8)
        assert full.errors == []
        await assert_only_second_failed(pi, full, small, "it has stalled")
    assert ("closing its device" in caplog.text) == (fault == "is_broken")
    assert pi.codec.closed
    await until(lambda: threading.active_count() <= threads)


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_failed_second_encoder_can_be_started_again(pi, is_reopened):
    camera = new_camera(PI_4, second=SECOND)
    async with both(camera) as (_, small):
        pi.codec.errors["VIDIOC_STREAMON"] = OSError(16, "Device or resource busy")
        camera.encode_small(True)
        await small.failure()
        pi.codec.errors.clear()
        small.errors.clear()
        if not is_reopened:
            camera.encode_small(True)
            await small.until(2)
    if is_reopened:
        async with both(camera) as (_, small):
            camera.encode_small(True)
            await small.until(2)


# What is refused


async def test_refusal_is_logged_once_and_nothing_is_opened(pi, caplog):
    caplog.set_level("INFO", "broadcaster")
    camera = new_camera(ZERO_2_W, second="auto", width=960, height=540)
    async with both(camera) as (full, small):
        camera.encode_small(True)
        camera.request_keyframe(Quality.SMALL)
        await goes_on(full)
        assert len([stream for stream in pi.sensor.configured if stream.pixel_format == "YUV420"]) == 1
    assert (pi.codec.opened, small.items, small.errors) == (1, [], [])
    refusals = [record.getMessage() for record in caplog.records if "no small rendition" in record.message]
    assert refusals == [f"no small rendition: {camera.traits.no_small}"]


async def test_camera_without_a_second_size_delivers_the_large_one(pi):
    pi.sensor.has_one_size = True
    camera = new_camera(PI_4, second=SECOND)
    async with both(camera) as (full, _):
        camera.encode_small(True)
        await goes_on(full)
    assert camera.traits.small_size is None
    assert "the camera cannot deliver a second size" in camera.traits.no_small
    assert pi.codec.opened == 1


async def test_without_a_sink_there_is_no_second_stream(pi):
    camera, full = new_camera(PI_4, second=SECOND), Sink()
    await camera.open(full)
    camera.encode_small(True)
    await full.until(5)
    assert len([stream for stream in pi.sensor.configured if stream.pixel_format == "YUV420"]) == 1
    await camera.close()
    assert pi.codec.opened == 1


# Software encoding, as on a Pi 5


async def test_a_pi_5_encodes_both_in_software(pi):
    camera = new_camera(second=SECOND, keyframe_interval=30.0)
    async with both(camera) as (full, small):
        await full.until(6)
        assert small.items == []
        camera.encode_small(True)
        await small.until(6)
        camera.request_keyframe(Quality.SMALL)
        await until(lambda: [unit.keyframe for unit in small.items].count(True) == 2)
        camera.encode_small(False)
        await goes_on(full, 3)
        count = len(small.items)
        await goes_on(full, 6)
        assert len(small.items) == count
    assert camera.traits.small_size == (160, 90)
    assert set(times(small.items)) <= set(times(full.items))
    assert [unit.keyframe for unit in full.items].count(True) == 1
    assert {(frame.width, frame.height) for frame in decoded(small.items)} == {(160, 90)}
    assert not pi.codec.opened


async def test_failure_of_the_small_software_encoder_ends_only_the_small_rendition(pi, monkeypatch):
    monkeypatch.setattr("broadcaster.devices.small.MAX_LOAD", 0.0)
    camera = new_camera(second=SECOND)
    async with both(camera) as (full, small):
        camera.encode_small(True)
        error = await small.failure()
        await goes_on(full)
        assert (full.errors, len(small.errors)) == ([], 1)
    assert "no time for a second encoder" in error.detail
