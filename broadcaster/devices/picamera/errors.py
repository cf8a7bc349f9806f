"""Conversion of the errors of picamera2 and libcamera to `SourceError`: what is wrong, and what to do.

picamera2 raises RuntimeError for nearly everything; the texts in it come from libcamera and the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from broadcaster.devices.holders import holders, usermod_command
from broadcaster.devices.picamera import library
from broadcaster.errors import SourceError, StreamReason


class Step(Enum):
    """A step of opening a camera: its description, and the reason to report if it fails for an unknown cause."""

    LOAD = "load the camera's library", StreamReason.NO_CAMERA
    OPEN = "open the camera", StreamReason.NO_CAMERA
    CONFIGURE = "configure the camera", StreamReason.INTERNAL
    ENCODER = "start the encoder", StreamReason.ENCODER
    SECOND_ENCODER = "start the second encoder", StreamReason.ENCODER
    START = "start the camera", StreamReason.CAMERA_LOST


_BUSY = ("resource busy", "in use by another process", "failed to acquire")
_KNOWN: tuple[tuple[tuple[str, ...], StreamReason, str], ...] = (
    (
        ("remote i/o", "input/output error", "timed out", "no such device"),
        StreamReason.CAMERA_LOST,
        "the camera does not answer: switch off, check the ribbon cable at both ends, switch on again",
    ),
    (
        ("permission denied",),
        StreamReason.INTERNAL,
        f"the daemon's user may not access it: {usermod_command('video')}",
    ),
    (
        ("cannot allocate memory", "failed to allocate"),
        StreamReason.INTERNAL,
        "not enough contiguous memory: reduce video.width and video.height, or stop other programs that use it",
    ),
)
"""Parts of error texts, with the reason to report and the advice to give."""


def source_error(error: BaseException, step: Step, root: Path = Path("/")) -> SourceError:
    """Convert `error`, raised at `step`; processes that use a busy camera are looked up below `root`."""
    if isinstance(error, SourceError):
        return error
    if step is Step.LOAD:
        return library.load_error(error)
    action, default_reason = step.value
    causes = list(_causes(error))
    text = " ".join(map(str, causes)).lower()
    if step not in (Step.ENCODER, Step.SECOND_ENCODER) and any(part in text for part in _BUSY):
        return SourceError(StreamReason.CAMERA_BUSY, _busy(root))
    for parts, reason, advice in _KNOWN:
        if any(part in text for part in parts):
            return SourceError(reason, f"cannot {action} ({causes[-1]}): {advice}")
    return SourceError(default_reason, f"cannot {action}: {type(causes[-1]).__name__}: {causes[-1]}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its chain of causes; the last one is the root cause."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _busy(root: Path) -> str:
    devices = sorted((root / "dev").glob("media*")) + sorted((root / "dev").glob("video*"))
    processes = holders(devices, root)
    return (
        f"the camera is in use by {processes}: stop that first"
        if processes
        else "the camera is in use by another process (sudo fuser --verbose /dev/media* /dev/video* shows which)"
    )
