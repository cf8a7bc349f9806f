"""The source `v4l2` with scripted cameras: delivery, unplugging, skipped pictures, and calls that hang.

`make test-vm` tests it with a real V4L2 device.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import time

import pytest

from broadcaster.devices import blocking, thread
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.usb import source as usb_source
from broadcaster.devices.usb.camera import CapturedFrame, Node
from broadcaster.devices.usb.find import DeviceScan
from broadcaster.devices.usb.modes import Mode, RequestedMode
from broadcaster.devices.usb.source import UsbCamera, make_usb_camera
from broadcaster.errors import DeviceHung, SourceError
from broadcaster.settings import VideoSettings
from tests.edges.devices_rig import Sink, decoded, opened, times
from tests.edges.test_devices_usb_pipelines import captured_frames

NODE = Node("/dev/video0", "uvcvideo", "USB Camera", "usb-1", 0x04200001)
MODE = Mode("YUYV", 320, 180, 25)
SETTINGS = VideoSettings(source="v4l2", width=320, height=180, fps=25, bitrate=300_000)


class RealTimeCamera:
    """A `Camera` without a device, at 25 fps; subclasses add faults."""

    opened = 0

    def __init__(self, node: Node) -> None:
        type(self).opened += 1
        self.node, self.stride, self.controls = node, 0, {}
        self.closed = threading.Event()
        self._pictures = [frame.data for frame in captured_frames("YUYV", 5)]
        self._started = time.monotonic()
        self._number = 0

    def modes(self, requested: RequestedMode) -> list[Mode]:
        return [MODE]

    def start(self, mode: Mode) -> Mode:
        self._started = time.monotonic()
        return mode

    def has(self, control: int) -> bool:
        return False

    def is_ready(self, seconds: float = 0.0) -> bool:
        wait = self._started + (self._number + 1) / MODE.fps - time.monotonic()
        time.sleep(max(0.0, min(seconds, wait)))
        return wait <= seconds

    def read(self, now: float) -> CapturedFrame | None:
        self._number += 1
        captured = self._started + self._number / MODE.fps
        return CapturedFrame(self._pictures[self._number % 5], captured, self._number)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def _plugged_in(monkeypatch) -> None:
    use(monkeypatch, RealTimeCamera)
    monkeypatch.setattr(usb_source, "scan_devices", lambda: DeviceScan((NODE,)))


def use(monkeypatch, camera: type[RealTimeCamera]) -> None:
    monkeypatch.setattr(usb_source, "Camera", camera)


def new_source() -> UsbCamera:
    return make_usb_camera(SETTINGS, SystemClock())


async def test_pictures_have_capture_times_and_keyframes_can_be_requested():
    source = new_source()
    async with opened(source) as sink:
        units = (await sink.until(10))[:10]
        source.request_keyframe()
        source.set_bitrate(200_000)
        seen = len(sink.items)
        later = (await sink.until(seen + 3))[seen : seen + 3]
    assert units[0].keyframe
    assert any(unit.keyframe for unit in later)
    assert times(units) == sorted(set(times(units)))
    assert len(decoded(units)) == 10
    assert (source.traits.source, source.traits.width, source.traits.fps) == ("v4l2", 320, 25)


async def test_a_closed_source_delivers_nothing_and_can_be_reopened():
    source = new_source()
    sink = Sink()
    await source.open(sink)
    await sink.until(1)
    await source.close()
    await source.close()
    count = len(sink.items)
    await asyncio.sleep(0.1)
    assert len(sink.items) == count
    source.request_keyframe()
    source.set_bitrate(1_000_000)
    async with opened(source) as again:
        assert (await again.until(1))[0].keyframe


async def test_an_unplugged_camera_is_lost_and_another_can_be_opened(monkeypatch):
    class Unplugged(RealTimeCamera):
        def is_ready(self, seconds: float = 0.0) -> bool:
            if self._number >= 3:
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            return super().is_ready(seconds)

    use(monkeypatch, Unplugged)
    source = new_source()
    sink = Sink()
    await source.open(sink)
    error = await sink.failure()
    assert (error.reason, error.detail) == (
        "camera-lost",
        "USB Camera (/dev/video0): unplugged, or its cable or power fails",
    )
    await source.close()
    monkeypatch.setattr(usb_source, "scan_devices", DeviceScan)
    with pytest.raises(SourceError, match="no USB camera"):
        await source.open(sink)
    await source.close()
    use(monkeypatch, RealTimeCamera)
    monkeypatch.setattr(usb_source, "scan_devices", lambda: DeviceScan((NODE,)))
    async with opened(source) as again:
        await again.until(1)


async def test_a_camera_that_cannot_be_started_is_closed(monkeypatch):
    cameras = []

    class Busy(RealTimeCamera):
        def start(self, mode: Mode) -> Mode:
            cameras.append(self)
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    use(monkeypatch, Busy)
    source = new_source()
    with pytest.raises(SourceError, match="in use by") as caught:
        await source.open(Sink())
    assert caught.value.reason == "camera-busy"
    await source.close()
    assert cameras[0].closed.is_set()


async def test_old_pictures_are_skipped_for_newer_ones(monkeypatch, caplog):
    class Behind(RealTimeCamera):
        """Has four old pictures and a new one ready at the start."""

        def start(self, mode: Mode) -> Mode:
            super().start(mode)
            self._started -= 5 / MODE.fps
            return mode

    use(monkeypatch, Behind)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        async with opened(new_source()) as sink:
            units = await sink.until(2)
    assert units[0].captured > started - 3 / MODE.fps  # the oldest of the four were skipped
    assert "encoding is too slow for the camera" in caplog.text


async def test_a_camera_that_hangs_while_opening_is_given_up_after_the_deadline(monkeypatch):
    hanging = threading.Event()

    class Hanging(RealTimeCamera):
        def modes(self, requested: RequestedMode) -> list[Mode]:
            hanging.wait(60)
            return super().modes(requested)

    use(monkeypatch, Hanging)
    monkeypatch.setattr(usb_source, "OPEN_LIMIT", 0.2)
    monkeypatch.setattr(blocking.Worker.close, "__defaults__", (0.2,))
    source = new_source()
    try:
        with pytest.raises(SourceError, match=r"does not answer within 0\.2 s") as caught:
            await source.open(Sink())
        assert caught.value.reason == "camera-stalled"
        with pytest.raises(DeviceHung):
            await source.close()
    finally:
        hanging.set()


async def test_a_camera_that_hangs_while_reading_raises_device_hung_on_close(monkeypatch):
    hanging, reading = threading.Event(), threading.Event()

    class Hanging(RealTimeCamera):
        def read(self, now: float) -> CapturedFrame | None:
            reading.set()
            hanging.wait(60)
            return None

    use(monkeypatch, Hanging)
    monkeypatch.setattr(thread, "JOIN_LIMIT", 0.2)
    source = new_source()
    try:
        await source.open(Sink())
        assert await asyncio.to_thread(reading.wait, 10)
        with pytest.raises(DeviceHung, match="hangs and cannot be closed"):
            await source.close()
    finally:
        hanging.set()
