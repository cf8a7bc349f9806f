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

from broadcaster.devices.usb.modes import Mode, Wanted, nearest_rate, nearest_size

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
    """A picture as the camera delivers it, its capture time in monotonic seconds, and the driver's sequence number.

    A gap in the numbers means that a picture was lost, or was too damaged to be read.
    """

    data: bytes
    captured: float
    number: int


def read_node(path: str) -> Node:
    """Query the identity of a device node; works while others use it."""
    with IO.open(path, True) as file:
        found = read_capabilities(file)
    driver, card, bus = (bytes(text).decode(errors="replace") for text in (found.driver, found.card, found.bus_info))
    return Node(path, driver, card, bus, found.device_caps)


def capture_time(stamp: float, *, monotonic: bool, now: float) -> float:
    """Return the driver's timestamp; `now` where it is of another clock or implausible."""
    return stamp if monotonic and now - _STAMP_RANGE < stamp <= now else now


class Camera:
    """A camera: opened by the constructor, configured by `start`, read by `read`, and released by `close`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._device = Device(node.path)
        self._device.open()
        # By the names that `v4l2-ctl --list-ctrls` shows too.
        self.controls = {
            _plain(one.name): int(one.id) for one in self._device.info.controls if one.type != raw.CtrlType.CTRL_CLASS
        }
        self._capture: VideoCapture | None = None
        self._stride = 0
        self._poll = select.poll()
        self._poll.register(self._device.fileno(), select.POLLIN)

    @property
    def stride(self) -> int:
        """Bytes per line of the first plane, including padding; 0 for compressed pictures."""
        return self._stride

    def modes(self, wanted: Wanted) -> list[Mode]:
        """Return all discrete modes, and of each range the mode nearest to `wanted`."""
        return [
            Mode(name, width, height, fps)
            for name in self._formats()
            for width, height in sorted(set(self._sizes(name, wanted)))
            for fps in sorted(set(self._rates(name, width, height, wanted.fps)))
        ]

    def start(self, mode: Mode) -> Mode:
        """Start capturing; return the mode that the camera has actually set."""
        self._device.set_format(_CAPTURE, mode.width, mode.height, mode.pixel_format)
        with contextlib.suppress(OSError):  # a camera with one rate only need not take it (VIDIOC_S_PARM)
            self._device.set_fps(_CAPTURE, mode.fps)
        got = self._device.get_format(_CAPTURE)
        self._stride = int(got.bytes_per_line)
        capture = self._capture = VideoCapture(self._device, BUFFERS)
        capture.open()
        return Mode(got.pixel_format.human_str(), got.width, got.height, self._rate(mode.fps))

    def stop(self) -> None:
        """Stop capturing; `start` may follow."""
        capture, self._capture = self._capture, None
        if capture and capture.buffer:
            with contextlib.suppress(OSError):  # gone already
                capture.stop()
            buffers = capture.buffer.buffers or ()
            for buffer in buffers:
                buffer.close()
            with contextlib.suppress(OSError):
                capture.free_buffers(raw.Memory.MMAP)

    def is_ready(self, seconds: float = 0.0) -> bool:
        """Wait up to `seconds` for a picture; return whether one is ready. Raises OSError when the camera is gone."""
        events = self._poll.poll(seconds * 1000)
        if events and events[0][1] & _LOST:
            raise OSError(errno.ENODEV, "the camera does not answer any more")
        return bool(events)

    def read(self, now: float) -> CapturedFrame | None:
        """Return the next picture; None if there is none, or if it is damaged. `now` is in monotonic seconds."""
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
        """Set a control; return false where the camera refuses."""
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
        return [one.pixel_format.human_str() for one in self._device.info.buffer_formats(_CAPTURE)]

    def _sizes(self, name: str, wanted: Wanted) -> Iterator[tuple[int, int]]:
        for size in self._device.info.format_frame_sizes(raw.v4l2_fourcc(*name)):
            info = size.info
            if size.type == raw.Frmsizetypes.DISCRETE:
                yield info.width, info.height
            else:
                yield (
                    nearest_size(info.min_width, info.max_width, info.step_width, wanted.width),
                    nearest_size(info.min_height, info.max_height, info.step_height, wanted.height),
                )

    def _rates(self, name: str, width: int, height: int, wanted: float) -> Iterator[float]:
        for found in self._device.info.fps_intervals(raw.v4l2_fourcc(*name), width, height):
            slow, fast = sorted((float(found.min_fps), float(found.max_fps)))
            yield round(nearest_rate(slow, fast, wanted), 3)

    def _rate(self, asked: float) -> float:
        try:
            return float(self._device.get_fps(_CAPTURE)) or asked
        except (OSError, ZeroDivisionError):  # it need not know
            return asked


def _plain(name: bytes) -> str:
    """Return a control's name as v4l2-ctl shows it: `white_balance_automatic` for `White Balance, Automatic`."""
    return re.sub(r"[^a-z0-9]+", "_", name.decode(errors="replace").lower()).strip("_")
