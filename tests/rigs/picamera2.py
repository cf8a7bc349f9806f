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
from types import ModuleType, SimpleNamespace
from unittest import mock

from tests.rigs import libcamera
from tests.rigs.codec import SPEED_UP, Poll, SimulatedCodec

STUBS = ("PIL", "PIL.Image", "piexif", "simplejpeg", "pidng", "pidng.camdefs", "pidng.core", "prctl", "kms", "pykms")


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


class SimulatedPi:
    """A board with picamera2; `system.sensors` are the connected cameras, `codec` is its hardware encoder."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self.modules = _modules()
        self.picamera2 = self.modules["picamera2"]
        self.codec = SimulatedCodec()
        self.system = libcamera.system
        self.system.sensors = [libcamera.Sensor()]

    @property
    def sensor(self) -> libcamera.Sensor:
        return self.system.sensors[0]

    @property
    def idle_buffers(self) -> int:
        """How many buffers the first camera has to fill; the others are being encoded, or lost."""
        return len(self.system.manager().cameras[0].queued)

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
            SimpleNamespace(poll=Poll, POLLIN=select.POLLIN, POLLOUT=select.POLLOUT),
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
