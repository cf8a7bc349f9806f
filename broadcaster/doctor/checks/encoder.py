"""Whether the encoder is fast enough."""

from __future__ import annotations

from broadcaster.doctor.advice import INSTALL_AGAIN, LOWER_RESOLUTION
from broadcaster.doctor.context import DaemonStatus
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.ports import VideoTraits
from broadcaster.settings import VideoSettings

MIN_RATE, MIN_HEADROOM = 0.9, 1.5
"""Fractions of the configured fps: below the first, frames are missing; the second leaves the encoder headroom for
complex pictures and for throttling."""
SOFTWARE = "libx264"
"""The value of `VideoTraits.encoder` for the encoder that can be measured without a camera."""

_ABOUT = Subject("encoder", "Frames that are not encoded in time are dropped, and the video stutters.")


def evaluate_speed(speed: float, settings: VideoSettings) -> CheckResult:
    """Evaluate the maximum fps of the software encoder."""
    size = f"{settings.width}×{settings.height}"
    found = f"{SOFTWARE} can encode {speed:.0f} fps at {size}; the stream needs {settings.fps}"
    return _ABOUT.ok(found) if speed >= MIN_HEADROOM * settings.fps else _ABOUT.warning(found, LOWER_RESOLUTION)


def evaluate_frame_rate(traits: VideoTraits, rate: float) -> CheckResult:
    """Evaluate the fps of an encoder that runs only at the camera's rate."""
    size = f"{traits.width}×{traits.height}"
    found = f"{traits.encoder}: {rate:.1f} fps at {size}; the stream needs {traits.fps:g}"
    return _ABOUT.ok(found) if rate >= MIN_RATE * traits.fps else _ABOUT.warning(found, LOWER_RESOLUTION)


def evaluate_live(running: DaemonStatus, rate: float | None) -> CheckResult:
    """Evaluate the fps of the running daemon, which a measurement of our own would disturb."""
    if rate is None:
        return _ABOUT.ok(f"{running.encoder}, not measured: the running broadcaster is {running.state}")
    found = f"{running.encoder}: {rate:.1f} fps live at {running.width}×{running.height}"
    if rate >= MIN_RATE * running.fps:
        return _ABOUT.ok(found)
    return _ABOUT.warning(f"{found}; the stream needs {running.fps:g}", LOWER_RESOLUTION)


def not_measured(device: str) -> CheckResult:
    """Return the result for the board's encoder, which needs pictures from a camera."""
    return _ABOUT.ok(f"hardware ({device}), not measured: there are no pictures to encode")


def no_source() -> CheckResult:
    """Return the result for a video source that cannot be opened."""
    return _ABOUT.broken("not measured: there is no video source", 'Fix the camera first; see the line "camera".')


def no_encoder(error: str) -> CheckResult:
    """Return the result for an encoder that cannot be opened."""
    return _ABOUT.broken(error, INSTALL_AGAIN)
