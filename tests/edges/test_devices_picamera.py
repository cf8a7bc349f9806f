"""Configuration, selection and faults of CSI cameras: the real picamera2 on a simulated board."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from unittest import mock

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.picamera import source
from broadcaster.errors import DeviceHung, SourceError
from broadcaster.settings import VideoSettings
from tests.edges.devices_rig import Sink, opened
from tests.edges.picamera_rig import PI_4, SMALL, ZERO_2_W, failing, new_camera, simulated_pi, until
from tests.rigs.libcamera import Sensor
from tests.rigs.libcamera_types import Orientation


@pytest.fixture
def pi(monkeypatch):
    yield from simulated_pi(monkeypatch)


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
