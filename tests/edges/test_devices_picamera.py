"""CSI cameras: the real picamera2 over a simulated libcamera and a simulated hardware encoder."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import AsyncIterator
from unittest import mock

import pytest

from broadcaster.devices import v4l2
from broadcaster.devices.board import Board
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes import canned
from broadcaster.devices.picamera import source
from broadcaster.devices.picamera.source import CsiCamera
from broadcaster.errors import DeviceHung, SourceError
from broadcaster.settings import VideoSettings
from tests.edges.devices_rig import Sink, decoded, opened
from tests.rigs.libcamera import LEVELS, Orientation, Sensor, U, V
from tests.rigs.picamera2 import SimulatedPi

ZERO_2_W = Board("Raspberry Pi Zero 2 W Rev 1.0", 437_904 << 10, "/dev/video11", True)
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", 8 << 30, "", True)
SMALL = {"width": 320, "height": 180, "bitrate": 510_000}


@pytest.fixture
def pi(monkeypatch):
    simulated = SimulatedPi()
    simulated.install(monkeypatch)
    yield simulated
    simulated.reset()


def new_camera(board: Board = PI_5, **settings: object) -> CsiCamera:
    return CsiCamera(SystemClock(), VideoSettings(**(SMALL | settings)), board)


@contextlib.asynccontextmanager
async def failing(camera: CsiCamera) -> AsyncIterator[SourceError]:
    """Open a camera and yield the expected error; close the camera at the end, as the stream does."""
    with pytest.raises(SourceError) as caught:
        await camera.open(Sink())
    error = SourceError(caught.value.reason, caught.value.detail)
    del caught  # its traceback holds references to the devices
    yield error
    await camera.close()


async def until(condition, limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


# Software encoding, as on a Pi 5


async def test_a_pi_5_encodes_in_software(pi):
    camera = new_camera(width=336)  # its rows are padded to 384
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert (camera.traits.source, camera.traits.encoder) == ("picamera2 (imx708)", "libx264")
    assert units[0].keyframe
    assert [unit.captured for unit in units] == pytest.approx(
        [time for time in pi.sensor.times if time in _times(units)]
    )
    for picture in decoded(units):
        assert (picture.width, picture.height) == (336, 180)
        colours = [
            bytes(plane)[row * plane.line_size + 100] for plane in picture.planes for row in (0, plane.height - 1)
        ]
        assert min(abs(colours[0] - level) for level in LEVELS) <= 2
        assert colours == pytest.approx([colours[0], colours[0], U, U, V, V], abs=3)


def _times(units) -> list[float]:
    return [unit.captured for unit in units]


async def test_software_encoding_honours_keyframe_requests_and_bit_rates(pi):
    camera = new_camera(keyframe_interval=30.0)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        assert not any(unit.keyframe for unit in sink.items[1:])
        camera.request_keyframe()
        camera.set_bitrate(300_000)
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert not pi.codec.opened


async def test_pictures_are_skipped_with_one_warning_if_encoding_is_too_slow(pi, monkeypatch, caplog):
    go, exposed = threading.Event(), []
    encode = source.Encoder.encode

    def slow(*arguments: object) -> object:
        exposed.append(len(pi.sensor.times))
        assert go.wait(10)
        return encode(*arguments)

    monkeypatch.setattr(source.Encoder, "encode", slow)
    async with opened(new_camera()) as sink:
        await until(lambda: exposed and len(pi.sensor.times) > exposed[0] + 10)
        go.set()
        units = await sink.until(4)
        # The first picture and the one that waited, then current ones: those in between were skipped, not delayed.
        assert units[2].captured - units[1].captured > 4 / 30
    assert sum("pictures skipped" in record.message for record in caplog.records) == 1


async def test_a_failing_encoder_is_reported_and_the_camera_can_be_closed(pi, monkeypatch):
    def fail(*_: object) -> None:
        raise SourceError("encoder", "libx264: broken")

    monkeypatch.setattr(source.Encoder, "encode", fail)
    camera, sink = new_camera(), Sink()
    await camera.open(sink)
    assert (await sink.failure()).reason == "encoder"
    await camera.close()
    assert not pi.sensor.is_open


# The board's hardware encoder


async def test_a_board_with_a_hardware_encoder_uses_it(pi):
    camera = new_camera(PI_4, keyframe_interval=1.0)
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert camera.traits.encoder == "hardware (/dev/video11)"
    assert camera.traits.can_force_keyframe
    assert camera.traits.can_set_bitrate
    assert [unit.data for unit in units[:12]] == list(canned.pictures()[:12])
    assert [unit.keyframe for unit in units[:12]] == [True] + [False] * 11
    sensor = iter(pi.sensor.times)  # in order; picamera2's encoder counts from its own first picture
    assert all(any(abs(unit.captured - moment) < 2e-6 for moment in sensor) for unit in units)
    kernel = pi.codec.v4l2
    assert pi.codec.log == [
        ("V4L2_CID_MPEG_VIDEO_BITRATE", 500_000),
        ("format", 320, 180),
        ("format", 320, 180),
        ("V4L2_CID_MPEG_VIDEO_H264_PROFILE", kernel.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE),
        ("V4L2_CID_MPEG_VIDEO_H264_I_PERIOD", 30),
        ("V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER", 1),
        "on",
        "on",
        "off",
        "off",
    ]
    assert pi.codec.closed


@pytest.mark.parametrize("old", [False, True], ids=["force_key_frame", "picamera2 before 0.3.32"])
async def test_hardware_encoding_honours_keyframe_requests(pi, monkeypatch, old):
    if old:
        monkeypatch.delattr(pi.modules["picamera2.encoders.h264_encoder"].H264Encoder, "force_key_frame")
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        camera.request_keyframe()
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert pi.codec.log.count(("V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME", 1)) == 1


async def test_hardware_bit_rate_changes_while_running_in_steps(pi):
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        await sink.until(2)
        for rate in (509_999, 412_345, 400_001, 10):
            camera.set_bitrate(rate)
        requests = [("V4L2_CID_MPEG_VIDEO_BITRATE", rate) for rate in (400_000, 25_000)]
        await until(lambda: pi.codec.log[-2:] == requests)


def test_control_numbers_are_those_of_the_kernel(pi):
    kernel = pi.codec.v4l2
    assert v4l2.VIDIOC_S_CTRL == kernel.VIDIOC_S_CTRL & 0xFFFFFFFF
    assert {
        "HFLIP": v4l2.HFLIP,
        "VFLIP": v4l2.VFLIP,
        "MPEG_VIDEO_BITRATE": v4l2.BITRATE,
        "MPEG_VIDEO_REPEAT_SEQ_HEADER": v4l2.REPEAT_SETS,
        "MPEG_VIDEO_FORCE_KEY_FRAME": v4l2.FORCE_KEYFRAME,
        "MPEG_VIDEO_H264_I_PERIOD": v4l2.KEYFRAME_INTERVAL,
        "MPEG_VIDEO_H264_PROFILE": v4l2.PROFILE,
    }.items() <= {name.removeprefix("V4L2_CID_"): number for name, number in vars(kernel).items()}.items()
    assert v4l2.CONSTRAINED_BASELINE == kernel.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE


@pytest.mark.parametrize(
    ("call", "error", "reason", "text"),
    [
        ("open", PermissionError(13, "Permission denied"), "internal", "usermod"),
        ("open", FileNotFoundError(2, "No such file or directory", "/dev/video11"), "encoder", "/dev/video11"),
        ("VIDIOC_STREAMON", ProcessLookupError(3, "No such process"), "encoder", "No such process"),
        ("VIDIOC_REQBUFS", OSError(16, "Device or resource busy"), "encoder", "busy"),
    ],
)
async def test_an_encoder_that_fails_to_start_is_released(pi, call, error, reason, text):
    camera, threads = new_camera(PI_4), threading.active_count()
    pi.codec.errors[call] = error
    async with failing(camera) as caught:
        assert caught.reason == reason
        assert text in caught.detail
    await until(lambda: threading.active_count() <= threads)
    pi.codec.errors.clear()
    async with opened(camera) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_the_hardware_encoder_rejects_pictures_that_are_too_wide(pi):
    async with failing(new_camera(PI_4, width=2304, height=1296)) as caught:
        assert caught.reason == "encoder"
        assert "video.width = 2304" in caught.detail


# Configuration


async def test_rotation_and_fewer_buffers_on_a_small_board(pi):
    async with opened(new_camera(ZERO_2_W, rotation=180)):
        assert pi.sensor.configured.orientation is Orientation.Rotate180
        assert {stream.buffer_count for stream in pi.sensor.configured} == {4}
        assert pi.sensor.configured[0].pixel_format == "YUV420"


async def test_controls_reach_the_camera(pi):
    controls = (("ExposureTime", 10_000), ("AnalogueGain", 2), ("ColourGains", (1.5, 2.0)), ("AwbEnable", False))
    async with opened(new_camera(controls=controls, fps=25)):
        controls_set = pi.sensor.start_controls
    assert controls_set["FrameDurationLimits"] == (40_000, 40_000)
    assert {name: controls_set[name] for name, _ in controls} == dict(controls)
    assert controls_set["AfMode"] == 2  # continuous autofocus by default


@pytest.mark.parametrize("value", ["Manual", 0])
async def test_a_control_can_be_set_by_libcameras_name_of_a_value(pi, value):
    async with opened(new_camera(controls=(("AfMode", value),))):
        assert pi.sensor.start_controls["AfMode"] == 0


async def test_all_invalid_controls_are_reported_and_the_camera_is_released(pi):
    controls = (("ExposureTim", 1), ("ExposureTime", 1), ("AwbEnable", 1), ("AfMode", "Sharp"), ("LensPosition", "far"))
    async with failing(new_camera(controls=controls)) as caught:
        assert caught.reason == "internal"
        assert caught.detail.split("; video") == [
            "video.controls.ExposureTim = 1: this camera has no such control; did you mean ExposureTime?",
            ".controls.ExposureTime = 1: must be a whole number from 14 to 66666",
            ".controls.AwbEnable = 1: must be true or false",
            ".controls.AfMode = 'Sharp': must be one of Manual, Auto, Continuous",
            ".controls.LensPosition = 'far': must be a number, or a list of them",
        ]
    assert not pi.sensor.is_open


async def test_a_frame_rate_above_the_sensors_maximum_is_logged(pi, caplog):
    camera = new_camera(fps=120)
    async with opened(camera):
        assert camera.traits.fps == pytest.approx(60, abs=0.1)
    assert "maximum at this size is 60" in caplog.text


def test_calls_match_the_signatures_of_picamera2(pi):
    """Fails if picamera2 renames a method or an argument."""
    camera = mock.create_autospec(pi.picamera2.Picamera2, instance=True)
    camera.camera_controls, camera.encoders = {"FrameDurationLimits": (16_666, 1, 1)}, set()
    camera.camera_configuration.return_value = {"main": {"size": (320, 180)}}
    with mock.patch("broadcaster.devices.picamera.session.open_camera", return_value=camera):
        session = source.Session(VideoSettings(**SMALL), PI_4, SystemClock(), mock.Mock())
        session.open()
        session.close()
    calls = [call[0] for call in camera.method_calls]
    assert calls == ["create_video_configuration", "configure", "set_controls", "start_encoder", "start",
                    "camera_configuration", "stop", "close"]  # fmt: skip


# Selection of the camera


async def test_a_camera_is_selected_by_number(pi):
    pi.system.sensors.append(Sensor("imx219", "/base/soc/i2c0mux/i2c@0/imx219@10"))
    numbers = {info["Model"]: number for number, info in enumerate(pi.picamera2.Picamera2.global_camera_info())}
    assert numbers == {"imx708": 0, "imx219": 1}
    pi.forget_enumeration()
    async with opened(new_camera(device="1")):
        assert [sensor.is_open for sensor in pi.system.sensors] == [False, True]


async def test_an_unknown_camera_error_lists_the_available_ones(pi):
    async with failing(new_camera(device="imx219")) as caught:
        assert caught.reason == "no-camera"
        assert "video.device = 'imx219'" in caught.detail
        assert "0: imx708" in caught.detail


async def test_without_a_camera_the_error_mentions_the_cable_and_a_later_camera_is_found(pi):
    pi.system.sensors, sensors = (
        [Sensor("Webcam", "/base/scb/pcie@7d500000/usb@0,0-1.2:1.0-046d:0825")],
        pi.system.sensors,
    )
    camera = new_camera()
    async with failing(camera) as caught:
        assert caught.reason == "no-camera"
        assert "ribbon cable" in caught.detail
    assert not pi.system.has_open_devices
    pi.system.sensors = sensors
    async with opened(camera) as sink:
        await sink.until(1)


# Faults


async def test_a_busy_camera_error_names_the_process_and_leaks_no_descriptors(pi, monkeypatch):
    monkeypatch.setattr("broadcaster.devices.picamera.errors.holders", lambda *_: "motion (process 712)")
    descriptors = 0
    pi.sensor.busy = True
    camera = new_camera()
    for _ in range(3):
        async with failing(camera) as caught:
            assert caught.reason == "camera-busy"
            assert caught.detail == "the camera is in use by motion (process 712): stop that first"
        descriptors = descriptors or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) == descriptors
    pi.sensor.busy = False
    async with opened(camera) as sink:
        await sink.until(1)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "is not installed here: sudo apt"),
        (ImportError("undefined symbol: _ZN9libcamera"), "ImportError: undefined symbol"),
        (AttributeError("module 'libcamera' has no attribute 'Orientation'"), "sudo apt full-upgrade"),
        (SystemError("half an upgrade"), "SystemError: half an upgrade"),
    ],
)
async def test_a_broken_installation_is_reported_with_a_remedy(pi, monkeypatch, error, text):
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr("importlib.import_module", fail)
    async with failing(new_camera()) as caught:
        assert caught.reason == "no-camera"
        assert text in caught.detail


async def test_closing_a_silent_camera_logs_the_usual_causes(pi, monkeypatch, caplog):
    monkeypatch.setattr(source, "SILENCE_LIMIT", 0.05)
    camera = new_camera()
    for _ in range(2):
        pi.sensor.is_silent = True
        async with opened(camera):
            await asyncio.sleep(0.1)
    assert [record.levelname for record in caplog.records if "ribbon cable" in record.message] == ["WARNING"]


async def test_a_camera_that_hangs_while_closing_raises_device_hung(pi, monkeypatch):
    pi.sensor.close_gate = threading.Event()
    camera, sink = new_camera(), Sink()
    monkeypatch.setattr(source, "CLOSE_LIMIT", 0.1)
    await camera.open(sink)
    await sink.until(1)
    with pytest.raises(DeviceHung, match="the camera hangs"):
        await camera.close()
    with pytest.raises(DeviceHung):
        await camera.close()
    seen = len(sink.items)
    camera.request_keyframe()
    camera.set_bitrate(100_000)
    pi.sensor.close_gate.set()
    await until(lambda: not pi.sensor.is_open)
    assert len(sink.items) == seen


async def test_a_camera_that_hangs_while_opening_is_given_up_after_the_deadline(pi, monkeypatch):
    pi.sensor.open_gate = threading.Event()
    monkeypatch.setattr(source, "OPEN_LIMIT", 0.1)
    monkeypatch.setattr(source, "CLOSE_LIMIT", 0.1)
    camera = new_camera()
    with pytest.raises(SourceError) as caught:
        await camera.open(Sink())
    assert caught.value.reason == "camera-stalled"
    with pytest.raises(DeviceHung):
        await camera.close()
    pi.sensor.open_gate.set()
    await until(lambda: pi.sensor.is_open)
    await until(lambda: not pi.sensor.is_open)


async def test_a_closed_camera_releases_its_devices_and_can_be_reopened(pi):
    camera = new_camera()
    for _ in range(2):
        async with opened(camera) as sink:
            await sink.until(2)
            assert pi.system.has_open_devices
            seen = sink.items
        await camera.close()
        gc.disable()
        try:
            assert not pi.system.has_open_devices
        finally:
            gc.enable()
        count = len(seen)
        await asyncio.sleep(0.05)
        assert len(seen) == count
