"""Whether the encoder keeps up."""

from __future__ import annotations

from broadcaster.doctor.advice import INSTALL_AGAIN, SMALLER
from broadcaster.doctor.context import Running
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.ports import VideoTraits
from broadcaster.settings import VideoSettings

ENOUGH, AMPLE = 0.9, 1.5
"""Share of the wanted rate: with less pictures are missing; with less to spare, film or a warm day will cost some."""
SOFTWARE = "libx264"
"""What `VideoTraits.encoder` calls the one that can be driven flat out without a camera."""

_ABOUT = Subject("encoder", "What it does not manage in time is left out, and the picture stutters.")


def evaluate_speed(speed: float, settings: VideoSettings) -> CheckResult:
    """The software encoder's speed flat out."""
    found = (
        f"{SOFTWARE} manages {speed:.0f} pictures a second at {settings.width}×{settings.height}, "
        f"{settings.fps} are wanted"
    )
    return _ABOUT.ok(found) if speed >= AMPLE * settings.fps else _ABOUT.warning(found, SMALLER)


def evaluate_frame_rate(traits: VideoTraits, rate: float) -> CheckResult:
    """An encoder that works beside the camera, and no faster."""
    found = (
        f"{traits.encoder}: {rate:.1f} pictures a second at {traits.width}×{traits.height}, {traits.fps:g} are wanted"
    )
    return _ABOUT.ok(found) if rate >= ENOUGH * traits.fps else _ABOUT.warning(found, SMALLER)


def evaluate_live(running: Running, rate: float | None) -> CheckResult:
    """The running daemon's own, which a trial would only disturb."""
    if rate is None:
        return _ABOUT.ok(f"{running.encoder}, not tried: the running broadcaster is {running.state}")
    found = f"{running.encoder}: {rate:.1f} pictures a second live at {running.width}×{running.height}"
    return _ABOUT.ok(found) if rate >= ENOUGH * running.fps else _ABOUT.warning(f"{found} of {running.fps:g}", SMALLER)


def not_tried(device: str) -> CheckResult:
    """The board's own, which works only beside a camera."""
    return _ABOUT.ok(f"hardware ({device}), not tried: there are no pictures to encode")


def no_encoder(why: str = "not tried, for lack of a source") -> CheckResult:
    """There was none."""
    return _ABOUT.broken(why, INSTALL_AGAIN)
