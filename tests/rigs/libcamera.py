"""A simulated libcamera: the part of its API that the real picamera2 uses, so that picamera2 runs on any machine.

`System` holds the machine's cameras. A started camera fills the queued buffers at its frame rate: picture n has luma
`LEVELS[n % 4]`, U 90, V 200, and `PADDING` at the end of the rows.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
import weakref
from collections import deque
from types import ModuleType, SimpleNamespace

from tests.rigs import libcamera_types as types
from tests.rigs.libcamera_types import CONTROLS, RANGES, CameraConfiguration, ControlId, Request, StreamConfiguration

LEVELS = (60, 90, 120, 150)
U, V, PADDING = 90, 200, 255


class Sensor:
    """A connected sensor, which outlives libcamera's objects; `times` are its capture times in monotonic seconds.

    Faults: `busy` is used by another process, `is_silent` delivers no pictures, `has_one_size` rejects a second
    processed stream; opening waits for `open_gate`, and closing for `close_gate`, if set.
    """

    def __init__(self, model: str = "imx708", id: str = "/base/soc/i2c0mux/i2c@1/imx708@1a") -> None:
        self.model, self.id = model, id
        self.busy = self.is_silent = self.has_one_size = False
        self.close_gate: threading.Event | None = None
        self.open_gate: threading.Event | None = None
        self.start_controls: dict[str, object] = {}
        self.configured: CameraConfiguration | None = None
        self.times: list[float] = []
        self.is_open = False


class Camera:
    def __init__(self, sensor: Sensor, manager: CameraManager) -> None:
        self._sensor, self._manager = sensor, manager
        self.id = sensor.id
        self.properties = {ControlId("Model"): sensor.model, ControlId("ColorFilterArrangement"): 0}
        self.controls = {
            CONTROLS[name]: SimpleNamespace(min=low, max=high, default=default)
            for name, (low, high, default) in RANGES.items()
        }
        self.queued: deque[Request] = deque()
        self._running = False

    def acquire(self) -> None:
        if self._sensor.open_gate:
            self._sensor.open_gate.wait()
        if self._sensor.busy:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self._sensor.is_open = True

    def release(self) -> None:
        self._sensor.is_open = False

    def generate_configuration(self, roles) -> CameraConfiguration:
        return CameraConfiguration(map(StreamConfiguration, roles))

    def configure(self, configuration: CameraConfiguration) -> int:
        if self._sensor.has_one_size and sum(stream.pixel_format == "YUV420" for stream in configuration) > 1:
            return -errno.EINVAL
        self._sensor.configured = configuration
        return 0

    def create_request(self, cookie: int) -> Request:
        return Request(cookie)

    def start(self, controls: dict[ControlId, object]) -> None:
        self._sensor.start_controls = {control.name: value for control, value in controls.items()}
        self._running = True
        self._thread = threading.Thread(target=self._expose, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._sensor.close_gate:
            self._sensor.close_gate.wait()
        self._running = False
        self._thread.join()
        self.queued.clear()

    def queue_request(self, request: Request) -> None:
        self.queued.append(request)

    def _expose(self) -> None:
        period = self._sensor.start_controls["FrameDurationLimits"][0] / 1e6
        number = 0
        while self._running:
            time.sleep(period)
            if self._sensor.is_silent or not self.queued:
                continue
            request = self.queued.popleft()
            moment = time.monotonic_ns()
            self._fill(request, number)
            number += 1
            self._sensor.times.append(moment / 1e9)
            request.metadata = {CONTROLS["SensorTimestamp"]: moment}
            request.status = Request.Status.Complete
            self._manager.complete(request)

    def _fill(self, request: Request, number: int) -> None:
        """Fill the buffers of all streams, except those of the raw one, with the same picture."""
        for stream, buffer in request.buffers.items():
            if stream.configuration.pixel_format == "YUV420":
                os.pwrite(buffer.planes[0].fd, _picture(stream.configuration, number), 0)


def _picture(stream: StreamConfiguration, number: int) -> bytes:
    width, height, stride = stream.size.width, stream.size.height, stream.stride
    planes = [(LEVELS[number % 4], 1), (U, 2), (V, 2)]
    rows = [
        (bytes([level]) * (width // part) + bytes([PADDING]) * ((stride - width) // part)) * (height // part)
        for level, part in planes
    ]
    return b"".join(rows)


class CameraManager:
    """As in libcamera, a singleton that exists while it is referenced, and has the devices open as long."""

    def __init__(self) -> None:
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.cameras = [Camera(sensor, self) for sensor in system.sensors]
        self._ready: deque[Request] = deque()
        weakref.finalize(self, os.close, self.event_fd)

    @staticmethod
    def singleton() -> CameraManager:
        manager = system.manager and system.manager()
        if manager is None:
            manager = CameraManager()
            system.manager = weakref.ref(manager)
        return manager

    def complete(self, request: Request) -> None:
        self._ready.append(request)
        os.eventfd_write(self.event_fd, 1)

    def get_ready_requests(self) -> list[Request]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        ready = []
        while self._ready:
            ready.append(self._ready.popleft())
        return ready


class System:
    """The machine's sensors, and whether libcamera has their devices open."""

    def __init__(self) -> None:
        self.sensors: list[Sensor] = []
        self.manager: weakref.ref[CameraManager] | None = None

    @property
    def has_open_devices(self) -> bool:
        return self.manager is not None and self.manager() is not None


system = System()


def module() -> ModuleType:
    """Return the module `libcamera`."""
    libcamera = ModuleType("libcamera")
    libcamera.__dict__.update(
        {name: value for name, value in (vars(types) | globals()).items() if isinstance(value, type)},
        controls=SimpleNamespace(
            **CONTROLS,
            AfModeEnum=types.AfModeEnum,
            draft=SimpleNamespace(NoiseReductionModeEnum=types.NoiseReductionModeEnum),
        ),
        properties=SimpleNamespace(),
        _libcamera=SimpleNamespace(ColorSpace=types.ColorSpace, Transform=types.Transform),
    )
    return libcamera
