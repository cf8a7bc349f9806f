"""Configuration of the camera: size, frame rate, orientation, buffers."""

from __future__ import annotations

from typing import Any

from broadcaster.devices.board import Board
from broadcaster.settings import VideoSettings

FORMAT = "YUV420"
"""A format that both the hardware encoder and libx264 accept: planes of Y, U and V (libcamera's formats::YUV420)."""

SMALL_BUFFERS, BUFFERS = 4, 6
"""Picture buffers: what 512 MB boards have contiguous memory for, and picamera2's default."""

SMALL_MEMORY = 700 << 20
"""Bytes below which a board counts as a 512 MB board; the kernel of a Zero 2 W sees 416 to 430 MiB."""


def configuration(camera: Any, transform: Any, settings: VideoSettings, board: Board) -> dict[str, Any]:
    """Return picamera2's configuration of an open `camera`; `transform` is the class `libcamera.Transform`."""
    rotated = settings.rotation == 180
    duration = round(1_000_000 / settings.fps)
    result: dict[str, Any] = camera.create_video_configuration(
        main={"size": (settings.width, settings.height), "format": FORMAT},
        transform=transform(
            hflip=rotated != (settings.flip == "horizontal"),
            vflip=rotated != (settings.flip == "vertical"),
        ),
        buffer_count=SMALL_BUFFERS if board.memory < SMALL_MEMORY else BUFFERS,
        controls={"FrameDurationLimits": (duration, duration)},
        display=None,
        queue=False,  # a queue would keep one more buffer, for `capture_request`, which is not used here
    )
    return result


def actual_fps(camera: Any, requested: float) -> float:
    """Return the fps of a configured camera when `requested` fps are set; the sensor mode sets the limit."""
    shortest = camera.camera_controls["FrameDurationLimits"][0]
    return min(requested, 1_000_000 / shortest) if shortest else requested
