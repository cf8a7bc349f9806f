"""CSI cameras: the real picamera2, over a libcamera and an encoder of memory."""

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
from tests.rigs.picamera2 import Rig

ZERO_2_W = Board("Raspberry Pi Zero 2 W Rev 1.0", 437_904 << 10, "/dev/video11", True)
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", 8 << 30, "", True)
SMALL = {"width": 320, "height": 180, "bitrate": 510_000}


@pytest.fixture
def rig(monkeypatch):
    made = Rig()
    made.install(monkeypatch)
    yield made
    made.forget()


def new_camera(board: Board = PI_5, **settings: object) -> CsiCamera:
    return CsiCamera(SystemClock(), VideoSettings(**(SMALL | settings)), board)


@contextlib.asynccontextmanager
async def failing(camera: CsiCamera) -> AsyncIterator[SourceError]:
    """What a failed `open` says; the camera is closed at the end, as the stream does it."""
    with pytest.raises(SourceError) as caught:
        await camera.open(Sink())
    said = SourceError(caught.value.reason, caught.value.detail)
    del caught  # a traceback holds all that was open
    yield said
    await camera.close()


async def until(condition, limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)


# Software, as on a Pi 5


async def test_a_pi_5_encodes_the_cameras_pictures_in_software(rig):
    camera = new_camera(width=336)  # its rows are padded to 384
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert (camera.traits.source, camera.traits.encoder) == ("picamera2 (imx708)", "libx264")
    assert units[0].keyframe
    assert [unit.captured for unit in units] == pytest.approx(
        [time for time in rig.sensor.times if time in _times(units)]
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


async def test_software_gives_a_keyframe_and_another_rate_when_asked(rig):
    camera = new_camera(keyframe_interval=30.0)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        assert not any(unit.keyframe for unit in sink.items[1:])
        camera.request_keyframe()
        camera.set_bitrate(300_000)
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert not rig.codec.opened


async def test_pictures_that_cannot_be_encoded_in_time_are_left_out_with_one_warning(rig, monkeypatch, caplog):
    go, taken = threading.Event(), []
    encode = source.Encoder.encode

    def slow(*arguments: object) -> object:
        taken.append(len(rig.sensor.times))
        assert go.wait(10)
        return encode(*arguments)

    monkeypatch.setattr(source.Encoder, "encode", slow)
    async with opened(new_camera()) as sink:
        await until(lambda: taken and len(rig.sensor.times) > taken[0] + 10)
        go.set()
        units = await sink.until(4)
        # The first and the one that waited, then those of now: what came between is gone, not late.
        assert units[2].captured - units[1].captured > 4 / 30
    assert sum("pictures skipped" in record.message for record in caplog.records) == 1


async def test_an_encoder_that_fails_is_told_once_and_the_camera_closes(rig, monkeypatch):
    def fail(*_: object) -> None:
        raise SourceError("encoder", "libx264: broken")

    monkeypatch.setattr(source.Encoder, "encode", fail)
    camera, sink = new_camera(), Sink()
    await camera.open(sink)
    assert (await sink.failure()).reason == "encoder"
    await camera.close()
    assert not rig.sensor.is_open


# The board's encoder


async def test_a_board_with_an_encoder_uses_it(rig):
    camera = new_camera(PI_4, keyframe_interval=1.0)
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert camera.traits.encoder == "hardware (/dev/video11)"
    assert camera.traits.can_force_keyframe
    assert camera.traits.can_set_bitrate
    assert [unit.data for unit in units[:12]] == list(canned.pictures()[:12])
    assert [unit.keyframe for unit in units[:12]] == [True] + [False] * 11
    sensor = iter(rig.sensor.times)  # in order, though picamera2's encoder counts from its own first picture
    assert all(any(abs(unit.captured - moment) < 2e-6 for moment in sensor) for unit in units)
    kernels = rig.codec.v4l2
    assert rig.codec.log == [
        ("V4L2_CID_MPEG_VIDEO_BITRATE", 500_000),
        ("format", 320, 180),
        ("format", 320, 180),
        ("V4L2_CID_MPEG_VIDEO_H264_PROFILE", kernels.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE),
        ("V4L2_CID_MPEG_VIDEO_H264_I_PERIOD", 30),
        ("V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER", 1),
        "on",
        "on",
        "off",
        "off",
    ]
    assert rig.codec.closed


@pytest.mark.parametrize("old", [False, True], ids=["force_key_frame", "picamera2 before 0.3.32"])
async def test_the_board_gives_a_keyframe_when_asked(rig, monkeypatch, old):
    if old:
        monkeypatch.delattr(rig.modules["picamera2.encoders.h264_encoder"].H264Encoder, "force_key_frame")
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        camera.request_keyframe()
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert rig.codec.log.count(("V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME", 1)) == 1


async def test_the_boards_rate_is_changed_while_running_in_its_own_steps(rig):
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        await sink.until(2)
        for rate in (509_999, 412_345, 400_001, 10):
            camera.set_bitrate(rate)
        asked = [("V4L2_CID_MPEG_VIDEO_BITRATE", rate) for rate in (400_000, 25_000)]
        await until(lambda: rig.codec.log[-2:] == asked)


def test_our_numbers_are_the_kernels(rig):
    kernels = rig.codec.v4l2
    assert v4l2.VIDIOC_S_CTRL == kernels.VIDIOC_S_CTRL & 0xFFFFFFFF
    assert {
        "HFLIP": v4l2.HFLIP,
        "VFLIP": v4l2.VFLIP,
        "MPEG_VIDEO_BITRATE": v4l2.BITRATE,
        "MPEG_VIDEO_REPEAT_SEQ_HEADER": v4l2.REPEAT_SETS,
        "MPEG_VIDEO_FORCE_KEY_FRAME": v4l2.FORCE_KEYFRAME,
        "MPEG_VIDEO_H264_I_PERIOD": v4l2.KEYFRAME_INTERVAL,
        "MPEG_VIDEO_H264_PROFILE": v4l2.PROFILE,
    }.items() <= {name.removeprefix("V4L2_CID_"): number for name, number in vars(kernels).items()}.items()
    assert v4l2.CONSTRAINED_BASELINE == kernels.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE


@pytest.mark.parametrize(
    ("where", "error", "reason", "said"),
    [
        ("open", PermissionError(13, "Permission denied"), "internal", "usermod"),
        ("open", FileNotFoundError(2, "No such file or directory", "/dev/video11"), "encoder", "/dev/video11"),
        ("VIDIOC_STREAMON", ProcessLookupError(3, "No such process"), "encoder", "No such process"),
        ("VIDIOC_REQBUFS", OSError(16, "Device or resource busy"), "encoder", "busy"),
    ],
)
async def test_an_encoder_that_does_not_start_is_thrown_away(rig, where, error, reason, said):
    camera, threads = new_camera(PI_4), threading.active_count()
    rig.codec.fails[where] = error
    async with failing(camera) as caught:
        assert caught.reason == reason
        assert said in caught.detail
    await until(lambda: threading.active_count() <= threads)
    rig.codec.fails.clear()
    async with opened(camera) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_the_board_encodes_no_more_than_its_width(rig):
    async with failing(new_camera(PI_4, width=2304, height=1296)) as caught:
        assert caught.reason == "encoder"
        assert "video.width = 2304" in caught.detail


# How the camera is set up


async def test_the_picture_is_turned_and_a_small_board_gets_fewer_buffers(rig):
    async with opened(new_camera(ZERO_2_W, rotation=180)):
        assert rig.sensor.configured.orientation is Orientation.Rotate180
        assert {stream.buffer_count for stream in rig.sensor.configured} == {4}
        assert rig.sensor.configured[0].pixel_format == "YUV420"


async def test_controls_reach_the_camera(rig):
    controls = (("ExposureTime", 10_000), ("AnalogueGain", 2), ("ColourGains", (1.5, 2.0)), ("AwbEnable", False))
    async with opened(new_camera(controls=controls, fps=25)):
        told = rig.sensor.started_with
    assert told["FrameDurationLimits"] == (40_000, 40_000)
    assert {name: told[name] for name, _ in controls} == dict(controls)
    assert told["AfMode"] == 2  # it focuses by itself unless told otherwise


@pytest.mark.parametrize("value", ["Manual", 0])
async def test_a_control_may_be_given_by_libcameras_word(rig, value):
    async with opened(new_camera(controls=(("AfMode", value),))):
        assert rig.sensor.started_with["AfMode"] == 0


async def test_wrong_controls_are_all_named_and_the_camera_is_let_go(rig):
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
    assert not rig.sensor.is_open


async def test_a_rate_beyond_the_sensors_is_said(rig, caplog):
    camera = new_camera(fps=120)
    async with opened(camera):
        assert camera.traits.fps == pytest.approx(60, abs=0.1)
    assert "maximum at this size is 60" in caplog.text


def test_it_speaks_to_picamera2_as_that_wants_to_be_spoken_to(rig):
    """What upstream renames breaks here: methods and arguments are those of the real class."""
    camera = mock.create_autospec(rig.picamera2.Picamera2, instance=True)
    camera.camera_controls, camera.encoders = {"FrameDurationLimits": (16_666, 1, 1)}, set()
    camera.camera_configuration.return_value = {"main": {"size": (320, 180)}}
    with mock.patch("broadcaster.devices.picamera.session.open_camera", return_value=camera):
        session = source.Session(VideoSettings(**SMALL), PI_4, SystemClock(), mock.Mock())
        session.open()
        session.close()
    made = [call[0] for call in camera.method_calls]
    assert made == ["create_video_configuration", "configure", "set_controls", "start_encoder", "start",
                    "camera_configuration", "stop", "close"]  # fmt: skip


# Which camera


async def test_one_of_two_cameras_by_number(rig):
    rig.system.sensors.append(Sensor("imx219", "/base/soc/i2c0mux/i2c@0/imx219@10"))
    numbers = {info["Model"]: number for number, info in enumerate(rig.picamera2.Picamera2.global_camera_info())}
    assert numbers == {"imx708": 0, "imx219": 1}
    rig.forget_cameras()
    async with opened(new_camera(device="1")):
        assert [sensor.is_open for sensor in rig.system.sensors] == [False, True]


async def test_a_camera_that_is_not_there_is_answered_with_those_that_are(rig):
    async with failing(new_camera(device="imx219")) as caught:
        assert caught.reason == "no-camera"
        assert "video.device = 'imx219'" in caught.detail
        assert "0: imx708" in caught.detail


async def test_without_a_camera_the_cable_is_named_and_one_that_comes_is_found(rig):
    rig.system.sensors, sensors = (
        [Sensor("Webcam", "/base/scb/pcie@7d500000/usb@0,0-1.2:1.0-046d:0825")],
        rig.system.sensors,
    )
    camera = new_camera()
    async with failing(camera) as caught:
        assert caught.reason == "no-camera"
        assert "ribbon cable" in caught.detail
    assert not rig.system.is_held
    rig.system.sensors = sensors
    async with opened(camera) as sink:
        await sink.until(1)


# What goes wrong


async def test_a_busy_camera(rig, monkeypatch):
    monkeypatch.setattr("broadcaster.devices.picamera.errors.holders", lambda *_: "motion (process 712)")
    descriptors = 0
    rig.sensor.busy = True
    camera = new_camera()
    for _ in range(3):
        async with failing(camera) as caught:
            assert caught.reason == "camera-busy"
            assert caught.detail == "the camera is in use by motion (process 712): stop that first"
        descriptors = descriptors or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) == descriptors
    rig.sensor.busy = False
    async with opened(camera) as sink:
        await sink.until(1)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "is not installed here: sudo apt"),
        (ImportError("undefined symbol: _ZN9libcamera"), "ImportError: undefined symbol"),
        (AttributeError("module 'libcamera' has no attribute 'Orientation'"), "sudo apt full-upgrade"),
        (SystemError("half an upgrade"), "SystemError: half an upgrade"),
    ],
)
async def test_a_broken_installation_is_no_camera_and_says_what_to_do(rig, monkeypatch, error, said):
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr("importlib.import_module", fail)
    async with failing(new_camera()) as caught:
        assert caught.reason == "no-camera"
        assert said in caught.detail


async def test_a_loose_cable_is_named_when_the_silent_camera_is_closed(rig, monkeypatch, caplog):
    monkeypatch.setattr(source, "SILENCE_LIMIT", 0.05)
    camera = new_camera()
    for _ in range(2):
        rig.sensor.loose = True
        async with opened(camera):
            await asyncio.sleep(0.1)
    assert [record.levelname for record in caplog.records if "ribbon cable" in record.message] == ["WARNING"]


async def test_a_camera_that_hangs_when_it_is_closed_ends_the_process(rig, monkeypatch):
    rig.sensor.hang = threading.Event()
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
    rig.sensor.hang.set()
    await until(lambda: not rig.sensor.is_open)
    assert len(sink.items) == seen


async def test_a_camera_that_hangs_when_it_is_opened_is_given_up(rig, monkeypatch):
    rig.sensor.hang_open = threading.Event()
    monkeypatch.setattr(source, "OPEN_LIMIT", 0.1)
    monkeypatch.setattr(source, "CLOSE_LIMIT", 0.1)
    camera = new_camera()
    with pytest.raises(SourceError) as caught:
        await camera.open(Sink())
    assert caught.value.reason == "camera-stalled"
    with pytest.raises(DeviceHung):
        await camera.close()
    rig.sensor.hang_open.set()
    await until(lambda: rig.sensor.is_open)
    await until(lambda: not rig.sensor.is_open)


async def test_closed_means_that_nobody_has_the_devices_and_it_opens_again(rig):
    camera = new_camera()
    for _ in range(2):
        async with opened(camera) as sink:
            await sink.until(2)
            assert rig.system.is_held
            seen = sink.items
        await camera.close()
        gc.disable()
        try:
            assert not rig.system.is_held
        finally:
            gc.enable()
        count = len(seen)
        await asyncio.sleep(0.05)
        assert len(seen) == count
