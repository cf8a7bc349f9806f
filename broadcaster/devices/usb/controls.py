"""Controls of a camera: flips, and `video.controls`."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from broadcaster.devices import v4l2
from broadcaster.devices.usb.camera import Camera

log = logging.getLogger(__name__)

HFLIP, VFLIP = "hflip", "vflip"
"""Mirror horizontally and vertically; also the names of libav's filters."""
_CONTROLS = {HFLIP: v4l2.HFLIP, VFLIP: v4l2.VFLIP}


def flips_of(rotation: int, flip: str) -> frozenset[str]:
    """Combine `video.rotation` (0 or 180 degrees) and `video.flip` (none, horizontal, vertical)."""
    rotated = {HFLIP, VFLIP} if rotation == 180 else set()
    mirrored = {"horizontal": {HFLIP}, "vertical": {VFLIP}}.get(flip, set())
    return frozenset(rotated ^ mirrored)


def flip_in_camera(camera: Camera, flips: frozenset[str]) -> bool:
    """Let the camera apply `flips`; if it cannot, set no flip and return false."""
    if all(camera.has(_CONTROLS[flip]) for flip in flips):
        available = [flip for flip in _CONTROLS if camera.has(_CONTROLS[flip])]
        if all(camera.set(_CONTROLS[flip], int(flip in flips)) for flip in available):
            return True
    for control in _CONTROLS.values():  # one flip of two would mirror the picture instead of rotating it
        if camera.has(control):
            camera.set(control, 0)
    return not flips


def set_controls(camera: Camera, controls: Iterable[tuple[str, object]]) -> None:
    """Set `video.controls`, in order: an automatic mode must be switched off before its value can be set."""
    for name, value in controls:
        number = camera.controls.get(name)
        if number is None:
            log.warning("video.controls: the camera has no %s; it has: %s", name, ", ".join(sorted(camera.controls)))
        elif not isinstance(value, int):
            log.warning("video.controls: %s of a USB camera must be a whole number, true or false", name)
        elif not camera.set(number, int(value)):
            log.warning("video.controls: the camera rejects %s = %d", name, value)
