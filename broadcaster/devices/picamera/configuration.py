"""Configuration of the camera: size, frame rate, orientation, buffers, and a smaller stream for a second encoder."""

from __future__ import annotations

import math
from typing import Any

from broadcaster.devices.board import Board
from broadcaster.devices.small import small_video
from broadcaster.settings import VideoSettings

FORMAT = "YUV420"
"""A format that both the hardware encoder and libx264 accept: planes of Y, U and V (libcamera's formats::YUV420)."""

SMALL_BUFFERS, BUFFERS = 4, 6
"""Picture buffers: what 512 MB boards have contiguous memory for, and picamera2's default."""

SMALL_MEMORY = 700 << 20
"""Bytes below which a board counts as a 512 MB board; the kernel of a Zero 2 W sees 416 to 430 MiB."""

MACROBLOCK_RATE = 245_760
"""Macroblocks per second that the hardware encoder manages, all its users together (H.264 level 4, table A-1)."""

Size = tuple[int, int]
"""Width and height in pixels."""


def configuration(
    camera: Any, transform: Any, settings: VideoSettings, board: Board, lores: Size | None = None
) -> dict[str, Any]:
    """Return picamera2's configuration of an open `camera`; `transform` is the class `libcamera.Transform`.

    `lores` is the size of an additional, smaller stream.
    """
    rotated = settings.rotation == 180
    duration = round(1_000_000 / settings.fps)
    result: dict[str, Any] = camera.create_video_configuration(
        main={"size": (settings.width, settings.height), "format": FORMAT},
        lores={"size": lores, "format": FORMAT} if lores else None,
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


def small_size(settings: VideoSettings, board: Board) -> tuple[Size | None, str]:
    """Return the size of the small rendition on `board`; None if there is none, and then also why."""
    small, width, height = small_video(settings), settings.width, settings.height
    size = small.size(width, height)
    if size is None:
        return None, small.obstacle(width, height)
    obstacle = _hardware_obstacle(settings, board, size) if board.h264_encoder else ""
    return (None, obstacle) if obstacle else (size, "")


def actual_fps(camera: Any, requested: float) -> float:
    """Return the fps of a configured camera when `requested` fps are set; the sensor mode sets the limit."""
    shortest = camera.camera_controls["FrameDurationLimits"][0]
    return min(requested, 1_000_000 / shortest) if shortest else requested


def _hardware_obstacle(settings: VideoSettings, board: Board, small: Size) -> str:
    if settings.second == "auto" and board.memory < SMALL_MEMORY:
        return (
            "this board has little memory for a second encoder; "
            f'set video.second = "{small[0]}x{small[1]}" to have one nevertheless'
        )
    needed = (_macroblocks(settings.width, settings.height) + _macroblocks(*small)) * settings.fps
    if needed > MACROBLOCK_RATE:
        return (
            f"the hardware encoder has no time for {small[0]}x{small[1]} besides {settings.width}x{settings.height} "
            f"at {settings.fps} fps ({needed} macroblocks per second, it manages {MACROBLOCK_RATE})"
        )
    return ""


def _macroblocks(width: int, height: int) -> int:
    return math.ceil(width / 16) * math.ceil(height / 16)
