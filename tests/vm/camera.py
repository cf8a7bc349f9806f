"""The USB camera in the virtual machine: real V4L2, and a device that is unplugged.

The camera is the kernel's `vivid`, which has neither MJPEG nor H.264, but modes, controls, buffers and timestamps like
a camera. Unbinding it from its driver looks to a program like unplugging. Time limits are generous, because the
virtual machine is slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.usb.camera import Camera
from broadcaster.devices.usb.find import pick_camera, scan_devices
from broadcaster.devices.usb.modes import Mode, RequestedMode
from broadcaster.devices.usb.source import make_usb_camera
from broadcaster.errors import SourceError
from broadcaster.settings import VideoSettings
from tests.edges.devices_rig import Sink, decoded, opened, steps
from tests.rigs import daemon as daemon_rig
from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer

DRIVER = Path("/sys/bus/platform/drivers/vivid")
SMALL = VideoSettings(source="v4l2", width=320, height=180, fps=10, bitrate=200_000)
NOTICE_LIMIT = 2.0
"""Seconds within which the loss of the camera must be reported."""
START_OF_EXPOSURE = 1
"""vivid's value of `timestamp_source`. Its default is the end of the frame, which is in the future."""
HOLD = """
import sys, time
from broadcaster.devices.usb.camera import Camera
from broadcaster.devices.usb.find import scan_devices
from broadcaster.devices.usb.modes import Mode
Camera(scan_devices().cameras[0]).start(Mode("YUYV", 320, 180, 10))
print("holding", flush=True)
time.sleep(600)
"""


def unplug() -> None:
    (DRIVER / "unbind").write_text("vivid.0")


def plug_in() -> None:
    if not (DRIVER / "vivid.0").exists():
        (DRIVER / "bind").write_text("vivid.0")


@pytest.fixture(autouse=True)
def _plugged_in(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(daemon_rig, "START_LIMIT", 120)  # Python alone takes ten seconds to start here
    plug_in()
    yield
    plug_in()


def settings(**changes: object) -> VideoSettings:
    common = {name: getattr(SMALL, name) for name in ("source", "width", "height", "fps", "bitrate")}
    return VideoSettings(**{**common, **changes})


def test_the_camera_is_found_with_its_modes_and_controls():
    (node,) = scan_devices().cameras
    assert (node.driver, node.card) == ("vivid", "vivid")
    assert pick_camera(scan_devices(), "viv") == node
    camera = Camera(node)
    try:
        modes = camera.modes(RequestedMode(320, 180, 10))
        assert Mode("YUYV", 320, 180, 30) in modes
        assert {mode.width for mode in modes} >= {320, 640, 1280, 1920}
        assert {"horizontal_flip", "vertical_flip", "brightness"} <= set(camera.controls)
        assert "user_controls" not in camera.controls
    finally:
        camera.close()


@pytest.mark.parametrize("pixel_format", ["YU12", "NV12", "YUYV", "UYVY", "RGB3"])
def test_each_raw_format_is_captured_with_the_drivers_timestamps(pixel_format):
    camera = Camera(scan_devices().cameras[0])
    try:
        assert camera.set(camera.controls["timestamp_source"], START_OF_EXPOSURE)
        assert camera.start(Mode(pixel_format, 320, 180, 10)) == Mode(pixel_format, 320, 180, 10)
        frames, ages = [], []
        deadline = time.monotonic() + 20
        while len(frames) < 3 and time.monotonic() < deadline:
            if camera.is_ready(1) and (frame := camera.read(now := time.monotonic())):
                frames.append(frame)
                ages.append(now - frame.captured)
        assert [frame.number for frame in frames] == sorted({frame.number for frame in frames})
        bits = {"YU12": 12, "NV12": 12, "YUYV": 16, "UYVY": 16, "RGB3": 24}[pixel_format]
        assert {len(frame.data) for frame in frames} == {320 * 180 * bits // 8}
        # An age of 0 would mean that the driver's timestamp was rejected.
        assert all(0 < age < 1 for age in ages)
    finally:
        camera.close()


def test_a_camera_can_be_restarted_in_another_mode():
    camera = Camera(scan_devices().cameras[0])
    try:
        for mode in (Mode("YUYV", 640, 360, 10), Mode("NV12", 320, 180, 10)):
            assert camera.start(mode) == mode
            assert camera.is_ready(10)
            camera.stop()
    finally:
        camera.close()


async def test_the_source_delivers_pictures_and_requested_keyframes():
    source = make_usb_camera(settings(controls=(("timestamp_source", START_OF_EXPOSURE),)), SystemClock())
    async with opened(source) as sink:
        units = list(await sink.until(15, limit=60))
        now = time.monotonic()
        source.request_keyframe()
        seen = len(sink.items)
        await sink.until(seen + 4, limit=30)
        assert any(unit.keyframe for unit in sink.items[seen : seen + 4])
    assert (source.traits.width, source.traits.height, source.traits.encoder) == (320, 180, "libx264")
    assert source.traits.can_force_keyframe
    assert source.traits.can_set_bitrate
    assert units[0].keyframe
    assert len(decoded(units)) == len(units)
    assert now - 5 < units[-1].captured <= now
    assert all(step > 0 for step in steps(units))


async def test_rotation_is_done_by_the_camera():
    source = make_usb_camera(settings(rotation=180), SystemClock())
    async with opened(source) as sink:
        await sink.until(2, limit=60)
        reader = await asyncio.create_subprocess_exec(sys.executable, "-c", READ_FLIPS, stdout=asyncio.subprocess.PIPE)
        flips, _ = await asyncio.wait_for(reader.communicate(), 60)
    assert flips.split() == [b"1", b"1"]


READ_FLIPS = """
from linuxpy.video.device import Device
with Device("/dev/video0") as camera:
    print(*(int(camera.controls[number].value) for number in (0x00980914, 0x00980915)))
"""


async def test_an_unplugged_camera_is_lost_at_once_and_can_be_reopened_when_plugged_in():
    source = make_usb_camera(SMALL, SystemClock())
    sink = Sink()
    await source.open(sink)
    await sink.until(3, limit=60)
    unplug()
    began = time.monotonic()
    error = await sink.failure(limit=10)
    took = time.monotonic() - began
    assert error.reason == "camera-lost"
    assert "vivid (/dev/video0)" in error.detail
    assert took < NOTICE_LIMIT
    await source.close()
    with pytest.raises(SourceError, match="no USB camera is plugged in") as caught:
        await source.open(sink)
    assert caught.value.reason == "no-camera"
    await source.close()
    plug_in()
    async with opened(source) as again:
        assert (await again.until(3, limit=60))[0].keyframe
    print(f"lost after {took:.2f} s")


async def test_a_fatal_streaming_error_of_the_driver_is_a_lost_camera():
    source = make_usb_camera(SMALL, SystemClock())
    sink = Sink()
    await source.open(sink)
    await sink.until(3, limit=60)
    other = Camera(scan_devices().cameras[0])
    try:
        assert other.set(other.controls["inject_fatal_streaming_error"], 1)
        assert (await sink.failure(limit=10)).reason == "camera-lost"
    finally:
        other.close()
        await source.close()


async def test_a_busy_camera_error_names_the_process_that_uses_it():
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, stdout=asyncio.subprocess.PIPE)
    try:
        assert other.stdout
        assert await asyncio.wait_for(other.stdout.readline(), 60) == b"holding\n"
        source = make_usb_camera(SMALL, SystemClock())
        with pytest.raises(SourceError) as caught:
            await source.open(Sink())
        await source.close()
    finally:
        other.kill()
        await other.wait()
    assert caught.value.reason == "camera-busy"
    assert f"(process {other.pid}): stop that first" in caught.value.detail


@contextlib.asynccontextmanager
async def noise() -> AsyncIterator[None]:
    """Play noise into the other end of the sound card."""
    player = ["aplay", "-q", "-D", "hw:CARD=Loopback,DEV=1", "-t", "raw", "-f", "S16_LE", "-r", "48000", "-c", "1"]
    process = await asyncio.create_subprocess_exec(*player, "/dev/urandom")
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_the_daemon_reports_an_unplugged_camera_and_recovers_when_it_is_plugged_in():
    video = {f"video__{name}": getattr(SMALL, name) for name in ("source", "width", "height", "fps", "bitrate")}
    audio = {"audio__source": "alsa", "audio__device": "Loopback"}
    async with noise(), Daemon(live=False, **video, **audio) as daemon, LightViewer(daemon.port) as viewer:
        await daemon.set_live(True)
        await viewer.message("stream", limit=60, state="live")
        await viewer.message("stream", limit=60, state="live", sound="on")
        await viewer.keyframe(60)
        before = viewer.packets
        unplug()
        began = time.monotonic()
        await viewer.message("stream", limit=20, state="failed", reason="camera-lost")
        took = time.monotonic() - began
        status = await daemon.status()
        assert (status["stream"]["state"], status["stream"]["reason"]) == ("failed", "camera-lost")
        await asyncio.sleep(3)
        assert not scan_devices().cameras
        viewer.messages.clear()
        plug_in()
        began = time.monotonic()
        await viewer.message("stream", limit=60, state="live")
        back = time.monotonic() - began
        await until_packets(viewer, before + 30)
        print(daemon.log)
        print(f"viewer notified after {took:.2f} s, live again after {back:.2f} s")
        assert took < NOTICE_LIMIT
        assert await daemon.stop() == 0
        assert "Traceback" not in daemon.log


async def until_packets(viewer: LightViewer, count: int) -> None:
    async with asyncio.timeout(60):
        while viewer.packets < count:
            await asyncio.sleep(0.1)
