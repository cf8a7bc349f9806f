"""Which CSI cameras there are, and which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.picamera import library
from broadcaster.errors import DeviceHung, SourceError, StreamReason

_USB = "/usb"
"""What stands in libcamera's id of a USB camera, by which picamera2 sorts those behind the others."""
_CABLE = (
    "no CSI camera found: switch off, check the ribbon cable at both ends, switch on again "
    "(rpicam-hello --list-cameras shows what the system sees)"
)


LOOK_LIMIT = 8.0
"""Seconds for looking which cameras there are; it takes well below one, and loading libcamera some more."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One CSI camera: `number` as picamera2 counts, `model` of the sensor, libcamera's `id`: where it is connected."""

    number: int
    model: str
    id: str

    def __str__(self) -> str:
        return f"{self.number}: {self.model} ({self.id})"


def csi_cameras(manager: Any) -> list[Camera]:
    """List the CSI cameras that libcamera's `manager` has found, in the order of `Picamera2.global_camera_info`."""
    found = sorted(
        ((camera.id, _model(camera)) for camera in manager.cameras if _USB not in camera.id), key=lambda item: item[0]
    )
    return [Camera(number, model, name) for number, (name, model) in enumerate(reversed(found))]


def why_none(device: str) -> str:
    """Look for the camera that `video.device` means, blocking: why there is none, or nothing.

    All devices are let go of again. Raises `DeviceHung` when libcamera does not come back.
    """
    worker = Worker("libcamera")
    try:
        choose(worker.call_blocking(_find_cameras, LOOK_LIMIT, library.explained), device)
    except SourceError as error:
        return error.detail
    except Overdue:
        raise DeviceHung("libcamera hangs while it looks for cameras") from None
    finally:
        worker.end()
    return ""


def choose(cameras: Sequence[Camera], device: str) -> Camera:
    """Return the camera that `video.device` means: a number, a model or an id; empty: the first.

    Raises `SourceError` with what there is instead.
    """
    if not cameras:
        raise SourceError(StreamReason.NO_CAMERA, _CABLE)
    for camera in cameras:
        if device in ("", str(camera.number), camera.id) or device.lower() == camera.model.lower():
            return camera
    raise SourceError(
        StreamReason.NO_CAMERA,
        f"video.device = {device!r}: no such CSI camera; there is {', '.join(map(str, cameras))}",
    )


def _find_cameras() -> list[Camera]:
    return csi_cameras(library.load("libcamera").CameraManager.singleton())


def _model(camera: Any) -> str:
    return next((str(value) for key, value in camera.properties.items() if key.name == "Model"), "camera")
