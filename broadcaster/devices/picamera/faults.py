"""What can go wrong when a camera is opened, in words that say what to do.

picamera2 raises RuntimeError for nearly everything; the texts inside it are libcamera's and the kernel's.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from broadcaster.devices.holders import holders, join
from broadcaster.devices.picamera import library
from broadcaster.errors import SourceError, StreamReason


class Step(Enum):
    """What is being done to a camera: for people, and what it means that it failed."""

    LOAD = "load the camera's library", StreamReason.NO_CAMERA
    OPEN = "open the camera", StreamReason.NO_CAMERA
    CONFIGURE = "set up the camera", StreamReason.INTERNAL
    ENCODER = "start the encoder", StreamReason.ENCODER
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
        f"the daemon's user may not use it: {join('video')}",
    ),
    (
        ("cannot allocate memory", "failed to allocate"),
        StreamReason.INTERNAL,
        "not enough contiguous memory: make video.width and video.height smaller, or see that nothing else has it",
    ),
)


def explained(error: BaseException, step: Step, root: Path = Path("/")) -> SourceError:
    """Return what `error`, raised at `step`, means; who has a busy camera is looked up below `root`."""
    if isinstance(error, SourceError):
        return error
    if step is Step.LOAD:
        return library.explained(error)
    causes = list(_causes(error))
    text = " ".join(map(str, causes)).lower()
    if step is not Step.ENCODER and any(words in text for words in _BUSY):
        return SourceError(StreamReason.CAMERA_BUSY, _busy(root))
    for words, reason, advice in _KNOWN:
        if any(word in text for word in words):
            return SourceError(reason, f"cannot {step.value[0]} ({causes[-1]}): {advice}")
    return SourceError(step.value[1], f"cannot {step.value[0]}: {type(causes[-1]).__name__}: {causes[-1]}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from: the last one is what really happened."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _busy(root: Path) -> str:
    devices = sorted((root / "dev").glob("media*")) + sorted((root / "dev").glob("video*"))
    who = holders(devices, root)
    return (
        f"the camera is in use by {who}: end that"
        if who
        else "the camera is in use by another process (sudo fuser --verbose /dev/media* /dev/video* shows which)"
    )
