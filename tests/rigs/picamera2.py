"""The real picamera2 from PyPI over a simulated libcamera and a simulated hardware encoder.

Its other imports, which are not needed here (image files, previews), are replaced by stubs. `make` installs picamera2
for the tests if the system has none.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import select
import selectors
import sys
import threading
from collections import deque
from types import ModuleType, SimpleNamespace
from unittest import mock

from broadcaster.devices.fakes import canned
from tests.rigs import libcamera

STUBS = ("PIL", "PIL.Image", "piexif", "simplejpeg", "pidng", "pidng.camdefs", "pidng.core", "prctl", "kms", "pykms")
BUFFER = 512 << 10
SPEED_UP = 40
"""Factor by which polling intervals of picamera2's threads (0.2 s) are shortened, so that they end sooner."""


class FastSelector(selectors.DefaultSelector):
    """A selector that shortens the 0.2 s timeout of picamera2's threads."""

    def select(self, timeout: float | None = None):
        return super().select(timeout / SPEED_UP if timeout == 0.2 else timeout)


class MemoryHeap:
    """picamera2's `DmaHeap`, with ordinary memory."""

    def __init__(self) -> None:
        self.isValid = True

    def alloc(self, name: str, size: int) -> SimpleNamespace:
        fd = os.memfd_create(name)
        os.ftruncate(fd, size)
        return SimpleNamespace(get=lambda: fd, isValid=lambda: True)

    def close(self) -> None:
        pass


class SimulatedEncoder:
    """/dev/video11: implements the ioctls of a V4L2 memory-to-memory encoder, with canned access units.

    A picture queued on the output side comes back at once, and leaves an access unit on the capture side. `log` lists
    the ioctls that configured it; `errors` are raised by the ioctls with those names.
    """

    def __init__(self) -> None:
        import videodev2  # noqa: PLC0415 - comes with the tests' picamera2

        self.v4l2 = videodev2
        self.names = _names(videodev2)
        self.log: list[object] = []
        self.errors: dict[str, OSError] = {}
        self.closed = True
        self.opened = 0
        self._change = threading.Condition()

    def open(self, path: str, *_: object, **__: object) -> SimulatedEncoder:
        assert path == "/dev/video11"
        self._ioctl("open")
        self._memory = os.memfd_create("codec")
        os.ftruncate(self._memory, 16 * BUFFER)
        self._free: deque[int] = deque()
        self._done: deque[int] = deque()
        self._units: deque[tuple[int, int, bool, tuple[int, int]]] = deque()
        self._next = 0
        self.opened += 1
        self.closed = False
        return self

    def fileno(self) -> int:
        return self._memory

    def close(self) -> None:
        self.closed = True
        os.close(self._memory)

    def register(self, *_: object) -> None:
        """Implement `select.poll`, together with `poll`."""

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        with self._change:
            self._change.wait_for(lambda: self._done or self._units, milliseconds / SPEED_UP / 1000)
            mask = (select.POLLOUT if self._done else 0) | (select.POLLIN if self._units else 0)
        return [(self._memory, mask)] if mask else []

    def ioctl(self, fd: object, request: int, argument: object = 0, *_: object) -> int:
        if fd is not self:
            return 0  # of the DMA heap
        name = self.names[request & 0xFFFFFFFF]
        self._ioctl(name)
        if isinstance(argument, bytes):
            argument = self.v4l2.v4l2_control.from_buffer_copy(argument)
        with self._change:
            getattr(self, f"_{name.removeprefix('VIDIOC_').lower()}", lambda _: None)(argument)
            self._change.notify_all()
        return 0

    def _ioctl(self, name: str) -> None:
        if name in self.errors:
            raise self.errors[name]

    def _s_ctrl(self, control) -> None:
        self.log.append((self.names[control.id], control.value))
        if control.id == self.v4l2.V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME:
            self._next = 0

    def _s_ext_ctrls(self, controls) -> None:
        self.log += [(self.names[controls.controls[i].id], controls.controls[i].value) for i in range(controls.count)]

    def _s_fmt(self, argument) -> None:
        self.log.append(("format", argument.fmt.pix_mp.width, argument.fmt.pix_mp.height))

    def _streamon(self, _) -> None:
        self.log.append("on")

    def _streamoff(self, _) -> None:
        self.log.append("off")

    def _querybuf(self, buffer) -> None:
        buffer.m.planes[0].length = BUFFER
        buffer.m.planes[0].m.mem_offset = buffer.index * BUFFER

    def _qbuf(self, buffer) -> None:
        if buffer.type == self.v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
            self._free.append(buffer.index)
            return
        self._done.append(buffer.index)
        if not self._free:
            return
        pictures = canned.pictures()
        data, key = pictures[self._next], self._next == 0
        self._next = (self._next + 1) % len(pictures)
        index = self._free.popleft()
        os.pwrite(self._memory, data, index * BUFFER)
        self._units.append((index, len(data), key, (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec)))

    def _dqbuf(self, buffer) -> None:
        if buffer.type == self.v4l2.V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
            buffer.index = self._done.popleft()
            return
        buffer.index, length, key, (buffer.timestamp.tv_sec, buffer.timestamp.tv_usec) = self._units.popleft()
        buffer.m.planes[0].bytesused, buffer.m.planes[0].length = length, BUFFER
        buffer.flags = self.v4l2.V4L2_BUF_FLAG_KEYFRAME if key else 0


class SimulatedPi:
    """A board with picamera2; `system.sensors` are the connected cameras, `codec` is its hardware encoder."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self.modules = _modules()
        self.picamera2 = self.modules["picamera2"]
        self.codec = SimulatedEncoder()
        self.system = libcamera.system
        self.system.sensors = [libcamera.Sensor()]

    @property
    def sensor(self) -> libcamera.Sensor:
        return self.system.sensors[0]

    def install(self, patch) -> None:
        """Make this process run on the simulated board until `patch` (pytest's monkeypatch) is undone."""
        for name, module in self.modules.items():
            patch.setitem(sys.modules, name, module)
        v4l2_encoder = self.modules["picamera2.encoders.v4l2_encoder"]
        patch.setattr(self.modules["picamera2.allocators.dmaallocator"], "DmaHeap", MemoryHeap)
        patch.setattr(selectors, "DefaultSelector", FastSelector)
        patch.setattr(fcntl, "ioctl", self.codec.ioctl)
        patch.setattr(v4l2_encoder, "open", self.codec.open, raising=False)
        patch.setattr(
            v4l2_encoder,
            "select",
            SimpleNamespace(poll=lambda: self.codec, POLLIN=select.POLLIN, POLLOUT=select.POLLOUT),
        )

    def reset(self) -> None:
        """Wait for picamera2's threads and clear the state of its classes, for the next test."""
        for thread in set(threading.enumerate()) - self._threads:
            thread.join(10)
        self.forget_enumeration()
        self.system.sensors = []

    def forget_enumeration(self) -> None:
        """Make picamera2 enumerate the cameras again."""
        self.picamera2.Picamera2._cm._cms = None
        self.system.manager = None


_imported: dict[str, ModuleType] = {}


def _modules() -> dict[str, ModuleType]:
    """Import picamera2 over the stubs, once; return all modules that it needs in `sys.modules`."""
    if not _imported:
        stubs = {name: mock.MagicMock(name=name) for name in STUBS} | {"libcamera": libcamera.module()}
        importlib.import_module(
            "numpy.typing"
        )  # before the block, at whose end newly imported modules are removed again
        importlib.import_module("videodev2")
        before = set(sys.modules)
        with mock.patch.dict(sys.modules, stubs):
            importlib.import_module("picamera2")
            importlib.import_module("picamera2.encoders.h264_encoder")
            _imported.update(stubs)
            _imported.update({name: sys.modules[name] for name in set(sys.modules) - before if "picamera2" in name})
    return _imported


def _names(v4l2: ModuleType) -> dict[int, str]:
    """Return the names of ioctls and controls by number."""
    return {
        value & 0xFFFFFFFF: name
        for name, value in vars(v4l2).items()
        if name.startswith(("VIDIOC_", "V4L2_CID_MPEG")) and isinstance(value, int)
    }
