"""Choice of a camera's mode (format, size and frame rate), with the reason.

Pure: no device is accessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broadcaster.devices.usb.formats import COLOURLESS, COST, H264, LAST_RESORT

_QUALITY_STEPS = 50
"""Modes whose quality differs by less than 2 % count as equal; then the cheaper one is chosen."""
_SAME_RATE = 0.99
"""Fraction of the requested frame rate that counts as equal: 29.97 is 30."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode of a camera: V4L2 pixel format (four-character code), size in pixels, frames per second."""

    pixel_format: str
    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        return f"{self.pixel_format} {self.width}x{self.height} at {self.fps:.4g} fps"


@dataclass(frozen=True, slots=True)
class RequestedMode:
    """The requested size in pixels and frame rate in fps."""

    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.fps:.4g} fps"


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode to use, whether its access units pass through unchanged, and the reason as text for the log."""

    mode: Mode
    passthrough: bool
    reason: str


def choose_mode(modes: Sequence[Mode], requested: RequestedMode, obstacle: str | None = None) -> Choice | None:
    """Return the best of `modes`, or None if none can be used.

    The best mode has the highest quality, which is the fraction of the requested sharpness times the fraction of the
    requested frame rate. Among modes of equal quality the cheapest is chosen: H.264 passthrough, then raw formats,
    then JPEG; then the one that exceeds the request least in pixels and frame rate.

    `obstacle` says why the camera's H.264 cannot pass through; it is then decoded, but only if the camera offers
    nothing else.
    """
    usable = [mode for mode in modes if mode.pixel_format in COST]
    usable = [mode for mode in usable if mode.pixel_format not in COLOURLESS] or usable
    encodable = [mode for mode in usable if mode.pixel_format != H264]
    passing = [mode for mode in usable if _can_pass_through(mode, requested, obstacle)]
    candidates = encodable + passing or usable
    if not candidates:
        return None
    best = min(candidates, key=lambda mode: _rank(mode, requested, passthrough=mode in passing))
    return Choice(best, best in passing, _reason(best, modes, passing, requested, obstacle))


def nearest_size(low: int, high: int, step: int, requested: int) -> int:
    """Return the size from `low` to `high` by `step` nearest to `requested`, for cameras with a range of sizes."""
    steps = round((requested - low) / max(1, step))
    return min(high, low + max(0, steps) * max(1, step))


def nearest_rate(low: float, high: float, requested: float) -> float:
    """Return the rate from `low` to `high` nearest to `requested`, which is returned if the camera reports none."""
    return min(max(low, requested), high) if high > 0 else requested


def _fit_scale(mode: Mode, requested: RequestedMode) -> float:
    """Return the factor that scales a picture down to fit the requested size; at most 1."""
    return min(1.0, requested.width / mode.width, requested.height / mode.height)


def _can_pass_through(mode: Mode, requested: RequestedMode, obstacle: str | None) -> bool:
    """Return whether access units of this mode can pass through; the size must fit, because nothing scales them."""
    return mode.pixel_format == H264 and obstacle is None and _fit_scale(mode, requested) == 1.0


def _rank(mode: Mode, requested: RequestedMode, *, passthrough: bool) -> tuple[float, float, float, float]:
    scale = _fit_scale(mode, requested)
    sharpness = scale * math.sqrt(mode.width * mode.height / (requested.width * requested.height))
    quality = sharpness * min(1.0, mode.fps / requested.fps)
    cost = COST[mode.pixel_format] if passthrough or mode.pixel_format != H264 else LAST_RESORT
    return -round(quality * _QUALITY_STEPS), cost, mode.width * mode.height, abs(mode.fps - requested.fps)


def _reason(
    best: Mode, modes: Iterable[Mode], passing: Sequence[Mode], requested: RequestedMode, obstacle: str | None
) -> str:
    exact = (best.width, best.height) == (requested.width, requested.height)
    exact = exact and best.fps >= requested.fps * _SAME_RATE
    reason = "as requested" if exact else f"the mode nearest to {requested}"
    if best in passing or all(mode.pixel_format != H264 for mode in modes):
        return reason
    if obstacle is None:
        obstacle = "other modes are nearer" if passing else "all its sizes are too large"
    return f"{reason}; the camera's own H.264 is not used: {obstacle}"
