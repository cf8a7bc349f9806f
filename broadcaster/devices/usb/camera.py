"""An open V4L2 capture device; the only module that uses linuxpy. Everything blocks, and raises plain `OSError`."""

from __future__ import annotations

import contextlib
import errno
import re
import select
from collections.abc import Iterator
from dataclasses import dataclass

from linuxpy.device import device_number
from linuxpy.io import IO
from linuxpy.video import raw
from linuxpy.video.device import Device, VideoCapture, read_capabilities, set_control

from broadcaster.devices.usb.modes import Mode, RequestedMode, nearest_rate, nearest_size

BUFFERS = 4
"""Buffers of the driver: while one is being read, the others absorb scheduling delays."""
_LOST = select.POLLERR | select.POLLHUP | select.POLLNVAL
_TIMESTAMP_MASK = 0xE000
_TIMESTAMP_MONOTONIC = 0x2000
"""V4L2_BUF_FLAG_TIMESTAMP_MASK and …_MONOTONIC (videodev2.h)."""
_STAMP_RANGE = 1.0
"""Maximum plausible age of a driver timestamp in seconds."""
_CAPTURE = raw.BufType.VIDEO_CAPTURE


@dataclass(frozen=True, slots=True)
class Node:
    """A device node: path, driver, card (display name), bus, and V4L2 capabilities."""

    path: str
    driver: str
    card: str
    bus: str
    capabilities: int

    @property
    def number(self) -> int:
        """The number in the path."""
        return int(device_number(self.path) or 0)


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A frame as the camera delivers it, its capture time in monotonic seconds, and the driver's sequence number.

    A gap in the numbers means that a frame was lost or was too damaged to be read.
    """

    data: bytes
    captured: float
    number: int


def read_node(path: str) -> Node:
    """Query the identity of a device node; works while others use it."""
    with IO.open(path, True) as file:
        info = read_capabilities(file)
    driver, card, bus = (bytes(text).decode(errors="replace") for text in (info.driver, info.card, info.bus_info))
    return Node(path, driver, card, bus, info.device_caps)


def capture_time(stamp: float, *, monotonic: bool, now: float) -> float:
    """Return the driver's timestamp, or `now` if it is implausible or from another clock."""
    return stamp if monotonic and now - _STAMP_RANGE < stamp <= now else now


class Camera:
    """A camera: opened by the constructor, configured by `start`, read by `read`, and released by `close`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._device = Device(node.path)
        self._device.open()
        self.controls = {
            _control_name(control.name): int(control.id)
            for control in self._device.info.controls
            if control.type != raw.CtrlType.CTRL_CLASS
        }
        """V4L2 ids by the names that `v4l2-ctl --list-ctrls` shows."""
        self._capture: VideoCapture | None = None
        self._stride = 0
        self._poll = select.poll()
        self._poll.register(self._device.fileno(), select.POLLIN)

    @property
    def stride(self) -> int:
        """Bytes per line of the first plane, including padding; 0 for compressed pictures."""
        return self._stride

    def modes(self, requested: RequestedMode) -> list[Mode]:
        """Return all discrete modes, and of each range the mode nearest to `requested`."""
        return [
            Mode(name, width, height, fps)
            for name in self._formats()
            for width, height in sorted(set(self._sizes(name, requested)))
            for fps in sorted(set(self._rates(name, width, height, requested.fps)))
        ]

    def start(self, mode: Mode) -> Mode:
        """Start capturing; return the mode that the camera has actually set."""
        self._device.set_format(_CAPTURE, mode.width, mode.height, mode.pixel_format)
        with contextlib.suppress(OSError):  # a camera with a fixed rate may not implement VIDIOC_S_PARM
            self._device.set_fps(_CAPTURE, mode.fps)
        actual = self._device.get_format(_CAPTURE)
        self._stride = int(actual.bytes_per_line)
        capture = self._capture = VideoCapture(self._device, BUFFERS)
        capture.open()
        return Mode(actual.pixel_format.human_str(), actual.width, actual.height, self._rate(mode.fps))

    def stop(self) -> None:
        """Stop capturing; `start` may follow."""
        capture, self._capture = self._capture, None
        if capture and capture.buffer:
            with contextlib.suppress(OSError):  # unplugged
                capture.stop()
            for buffer in capture.buffer.buffers or ():
                buffer.close()
            with contextlib.suppress(OSError):
                capture.free_buffers(raw.Memory.MMAP)

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Wait up to `seconds` for a frame; return whether one is ready. Raises OSError if the camera is unplugged."""
        events = self._poll.poll(seconds * 1000)
        if events and events[0][1] & _LOST:
            raise OSError(errno.ENODEV, "the camera no longer answers")
        return bool(events)

    def read(self, now: float) -> CapturedFrame | None:
        """Return the next frame; None if there is none, or if it is damaged. `now` is in monotonic seconds."""
        assert self._capture is not None
        try:
            frame = self._capture.buffer.raw_read()
        except BlockingIOError:
            return None
        flags = frame.buff.flags
        if flags & raw.BufferFlag.ERROR or not frame.data:
            return None
        monotonic = flags & _TIMESTAMP_MASK == _TIMESTAMP_MONOTONIC
        return CapturedFrame(
            bytes(frame.data), capture_time(frame.timestamp, monotonic=monotonic, now=now), frame.frame_nb
        )

    def has(self, control: int) -> bool:
        """Return whether the camera has a control, given by its V4L2 id."""
        return control in self.controls.values()

    def set(self, control: int, value: int) -> bool:
        """Set a control; return false if the camera rejects the value."""
        try:
            set_control(self._device, control, value)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise
            return False
        return True

    def close(self) -> None:
        """Release the device; idempotent."""
        self.stop()
        with contextlib.suppress(OSError):
            self._device.close()

    def _formats(self) -> list[str]:
        return [entry.pixel_format.human_str() for entry in self._device.info.buffer_formats(_CAPTURE)]

    def _sizes(self, name: str, requested: RequestedMode) -> Iterator[tuple[int, int]]:
        for size in self._device.info.format_frame_sizes(raw.v4l2_fourcc(*name)):
            info = size.info
            if size.type == raw.Frmsizetypes.DISCRETE:
                yield info.width, info.height
            else:
                yield (
                    nearest_size(info.min_width, info.max_width, info.step_width, requested.width),
                    nearest_size(info.min_height, info.max_height, info.step_height, requested.height),
                )

    def _rates(self, name: str, width: int, height: int, requested: float) -> Iterator[float]:
        for interval in self._device.info.fps_intervals(raw.v4l2_fourcc(*name), width, height):
            low, high = sorted((float(interval.min_fps), float(interval.max_fps)))
            yield round(nearest_rate(low, high, requested), 3)

    def _rate(self, requested: float) -> float:
        try:
            return float(self._device.get_fps(_CAPTURE)) or requested
        except (OSError, ZeroDivisionError):  # VIDIOC_G_PARM is optional
            return requested


def _control_name(name: bytes) -> str:
    """Return a control's name as v4l2-ctl shows it: `white_balance_automatic` for `White Balance, Automatic`."""
    return re.sub(r"[^a-z0-9]+", "_", name.decode(errors="replace").lower()).strip("_")
