"""Whether there is a second, smaller rendition, and whether this machine can encode both."""

from __future__ import annotations

from broadcaster.devices.self_test import SmallTestResult, VideoTestResult
from broadcaster.devices.small import MAX_LOAD
from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.checks.encoder import MIN_RATE, SOFTWARE
from broadcaster.doctor.result import CheckResult, Subject

_ABOUT = Subject(
    "rendition", "Viewers on slow networks get a second, smaller rendition of the video; without it they skip pictures."
)
_FIX = change_settings(
    "Lower the resolution or the frame rate, for example [video] width = 960, height = 540, fps = 25, "
    'or do without the second rendition: [video] second = "off"'
)


def evaluate(measured: VideoTestResult, speed: float | None) -> CheckResult:
    """Require that both renditions are encoded in time.

    `speed` is the maximum fps of the software encoder with both renditions; None if not both are encoded by it.
    """
    traits, small = measured.traits, measured.small
    if measured.startup is None or measured.error is not None:
        return not_checked()
    if traits.small_size is None:
        return _ABOUT.ok(f"none: {traits.no_small}")
    size = f"{traits.small_size[0]}×{traits.small_size[1]}"
    if small is None or small.error is not None:
        return _ABOUT.warning(f"{size}: {small.error.detail if small and small.error else 'not started'}", _FIX)
    if not small.fps:
        return _ABOUT.warning(f"{size}: the encoder was started, but delivered no pictures", _FIX)
    if problem := _slow(measured, small, speed):
        return _ABOUT.warning(f"{size}: {problem}", _FIX)
    load = f"; {SOFTWARE} is busy for {traits.fps / speed:.0%} of the time with both" if speed else ""
    return _ABOUT.ok(f"{size} by a second encoder, at {small.fps:.1f} fps{load}")


def not_checked() -> CheckResult:
    """Return the result for a source without pictures; the camera's result says why."""
    return _ABOUT.ok("not checked: there are no pictures to encode")


def running(second: str) -> CheckResult:
    """Return the result while the running daemon has the camera; `second` is the setting."""
    return _ABOUT.ok(f'not checked: the camera is in use by the running broadcaster (video.second = "{second}")')


def _slow(measured: VideoTestResult, small: SmallTestResult, speed: float | None) -> str:
    """Return what is too slow; empty if nothing is."""
    fps = measured.traits.fps
    if speed is not None and fps / speed > MAX_LOAD:
        return (
            f"this machine is too slow to encode both renditions: {SOFTWARE} can encode {speed:.0f} fps of both, "
            f"and needs to encode {fps / MAX_LOAD:.0f} to have time left for {fps:g}"
        )
    alone = min(fps, measured.fps)  # in the dark, a camera is slower than its nominal rate
    if min(small.fps, small.full_fps) < MIN_RATE * alone:
        return (
            f"this machine is too slow to encode both renditions: {small.full_fps:.1f} and {small.fps:.1f} fps "
            f"instead of {alone:.1f}"
        )
    return ""
