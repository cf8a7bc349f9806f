"""Choice of a camera's mode (format, size and frame rate), with the reason.

Pure: no device is accessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broadcaster.devices.usb.formats import COLOURLESS, COST, H264, LAST_RESORT

_STEPS = 50
"""Steps of quality: of modes that differ by less than 2 % the cheaper one is better."""
_ALIKE = 0.99
"""Fraction of the requested frame rate that counts as equal: 29.97 is 30."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode of a camera: V4L2 pixel format (four-character code), size in pixels, frames per second."""

    pixel_format: str
    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        return f"{self.pixel_format} {self.width}x{self.height} at {self.fps:.4g} a second"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The requested size in pixels and frame rate in fps."""

    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.fps:.4g}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode to use, whether its pictures pass through, and why it was chosen, as text for the log."""

    mode: Mode
    passes: bool
    why: str


def choose_mode(modes: Sequence[Mode], wanted: Wanted, obstacle: str | None = None) -> Choice | None:
    """The best of `modes`; None if there is none that can be used at all.

    The best is what shows most of the wanted sharpness times the wanted rate. Among those that are alike the one
    that costs least is taken: H.264 that passes through, then raw pictures, then JPEG; then the one with the fewest
    pixels and pictures too many. `obstacle` says why the camera's H.264 cannot be sent; then it is decoded only when
    the camera has nothing else.
    """
    usable = [mode for mode in modes if mode.pixel_format in COST]
    usable = [mode for mode in usable if mode.pixel_format not in COLOURLESS] or usable
    encodable = [mode for mode in usable if mode.pixel_format != H264]
    passing = [mode for mode in usable if _passes(mode, wanted, obstacle)]
    candidates = encodable + passing or usable
    if not candidates:
        return None
    best = min(candidates, key=lambda mode: _rank(mode, wanted, passes=mode in passing))
    return Choice(best, best in passing, _why(best, modes, passing, wanted, obstacle))


def nearest_size(low: int, high: int, step: int, wanted: int) -> int:
    """Return the size from `low` to `high` by `step` that is nearest to `wanted`, for cameras with a range of sizes."""
    steps = round((wanted - low) / max(1, step))
    return min(high, low + max(0, steps) * max(1, step))


def nearest_rate(low: float, high: float, wanted: float) -> float:
    """Return the rate from `low` to `high` nearest to `wanted`; `wanted` itself where the camera reports no rates."""
    return min(max(low, wanted), high) if high > 0 else wanted


def shown_share(mode: Mode, wanted: Wanted) -> float:
    """Return the factor that scales a picture to fit the requested size; at most 1."""
    return min(1.0, wanted.width / mode.width, wanted.height / mode.height)


def _passes(mode: Mode, wanted: Wanted, obstacle: str | None) -> bool:
    """Return whether pictures of this mode can pass through; they must fit, because nothing scales them."""
    return mode.pixel_format == H264 and obstacle is None and shown_share(mode, wanted) == 1.0


def _rank(mode: Mode, wanted: Wanted, *, passes: bool) -> tuple[float, float, float, float]:
    share = shown_share(mode, wanted)
    sharpness = share * math.sqrt(mode.width * mode.height / (wanted.width * wanted.height))
    quality = sharpness * min(1.0, mode.fps / wanted.fps)
    cost = COST[mode.pixel_format] if passes or mode.pixel_format != H264 else LAST_RESORT
    return -round(quality * _STEPS), cost, mode.width * mode.height, abs(mode.fps - wanted.fps)


def _why(best: Mode, modes: Iterable[Mode], passing: Sequence[Mode], wanted: Wanted, obstacle: str | None) -> str:
    exact = (best.width, best.height) == (wanted.width, wanted.height) and best.fps >= wanted.fps * _ALIKE
    reason = "as asked" if exact else f"of its modes the nearest to {wanted}"
    if best in passing or all(mode.pixel_format != H264 for mode in modes):
        return reason
    if obstacle is None:
        obstacle = "no such mode comes as near" if passing else "all its sizes are too large"
    return f"{reason}; its own H.264 does not pass, because {obstacle}"
