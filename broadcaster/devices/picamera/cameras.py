"""Enumeration of CSI cameras, and selection of the one that `video.device` names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.picamera import library
from broadcaster.errors import DeviceHung, SourceError, StreamReason

_USB = "/usb"
"""Part of libcamera's id of every USB camera; picamera2 sorts those behind the others by it."""
_NO_CAMERA = (
    "no CSI camera found: switch off, check the ribbon cable at both ends, switch on again "
    "(rpicam-hello --list-cameras shows what the system sees)"
)
_SEARCH_LIMIT = 8.0
"""Seconds for listing the cameras. It takes well below one, plus the time for loading libcamera."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A CSI camera: picamera2's `number`, the sensor's `model`, and libcamera's `id`, which tells the port."""

    number: int
    model: str
    id: str

    def __str__(self) -> str:
        return f"{self.number}: {self.model} ({self.id})"


def csi_cameras(manager: Any) -> list[Camera]:
    """Return the CSI cameras of libcamera's `manager`, in the order of `Picamera2.global_camera_info`."""
    cameras = sorted(
        ((camera.id, _model(camera)) for camera in manager.cameras if _USB not in camera.id), key=lambda item: item[0]
    )
    return [Camera(number, model, name) for number, (name, model) in enumerate(reversed(cameras))]


def unavailable_reason(device: str) -> str:
    """Search for the camera that `video.device` names; return why it is unavailable, or "". Blocking.

    All devices are released again. Raises `DeviceHung` if libcamera does not return.
    """
    worker = Worker("libcamera")
    try:
        pick_camera(worker.call_blocking(_find_cameras, _SEARCH_LIMIT, library.load_error), device)
    except SourceError as error:
        return error.detail
    except Overdue:
        raise DeviceHung("libcamera hangs while searching for cameras") from None
    finally:
        worker.end()
    return ""


def pick_camera(cameras: Sequence[Camera], device: str) -> Camera:
    """Return the camera that `video.device` names: a number, a model or an id; empty: the first.

    Raises `SourceError`, which lists the available cameras.
    """
    if not cameras:
        raise SourceError(StreamReason.NO_CAMERA, _NO_CAMERA)
    for camera in cameras:
        if device in ("", str(camera.number), camera.id) or device.lower() == camera.model.lower():
            return camera
    raise SourceError(
        StreamReason.NO_CAMERA,
        f"video.device = {device!r}: no such CSI camera; available: {', '.join(map(str, cameras))}",
    )


def _find_cameras() -> list[Camera]:
    return csi_cameras(library.load("libcamera").CameraManager.singleton())


def _model(camera: Any) -> str:
    return next((str(value) for key, value in camera.properties.items() if key.name == "Model"), "camera")
