"""Configuration of the camera: size, frame rate, orientation, buffers."""

from __future__ import annotations

from typing import Any

from broadcaster.devices.board import Board
from broadcaster.settings import VideoSettings

FORMAT = "YUV420"
"""What hardware encoder and libx264 both take: planes of Y, U and V (libcamera's formats::YUV420)."""

FEW_BUFFERS, BUFFERS = 4, 6
"""Pictures on their way at the same time: picamera2's own number, and what 512 MB boards have contiguous memory for."""

LITTLE_MEMORY = 700 << 20
"""Bytes below which a board is a 512 MB one; the kernel of a Zero 2 W sees 416 to 430 MiB of them."""


def configuration(camera: Any, transform: Any, settings: VideoSettings, board: Board) -> dict[str, Any]:
    """Return picamera2's configuration of an open `camera`; `transform` is libcamera's class of that name."""
    turned = settings.rotation == 180
    duration = round(1_000_000 / settings.fps)
    result: dict[str, Any] = camera.create_video_configuration(
        main={"size": (settings.width, settings.height), "format": FORMAT},
        transform=transform(
            hflip=turned != (settings.flip == "horizontal"),
            vflip=turned != (settings.flip == "vertical"),
        ),
        buffer_count=FEW_BUFFERS if board.memory < LITTLE_MEMORY else BUFFERS,
        controls={"FrameDurationLimits": (duration, duration)},
        display=None,
        queue=False,  # or it keeps the newest picture for somebody who asks, and nobody does: one buffer more
    )
    return result


def rate_of(camera: Any, fps: float) -> float:
    """Return the fps of a configured camera when `fps` are requested; the sensor mode sets the limit."""
    shortest = camera.camera_controls["FrameDurationLimits"][0]
    return min(fps, 1_000_000 / shortest) if shortest else fps
