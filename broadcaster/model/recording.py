"""Recordings, as index, status and log describe them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RecorderState(StrEnum):
    """What the recorder does.

    `waiting`: it records as soon as the stream is live; `failed`: it should record, and the disk is the reason that it
    does not.
    """

    OFF = "off"
    WAITING = "waiting"
    RECORDING = "recording"
    FAILED = "failed"


class RecordingKind(StrEnum):
    """What is in a file: the stream, or pictures far apart that play fast (`record.timelapse`)."""

    VIDEO = "video"
    TIMELAPSE = "timelapse"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file in the folder: `started` in Unix seconds, `duration` in seconds.

    `started_at` is the same moment by the monotonic clock of `boot`, the id of the machine's start; `clock_set`: the
    clock was known to be right then. `kept`: never deleted to make room. `open`: being written. `broken`: could not be
    mended.
    """

    number: int
    name: str
    started: float
    duration: float = 0.0
    size: int = 0
    kept: bool = False
    open: bool = False
    broken: bool = False
    clock_set: bool = True
    boot: str = ""
    started_at: float = 0.0
    kind: RecordingKind = RecordingKind.VIDEO


@dataclass(frozen=True, slots=True)
class Gap:
    """A time, in Unix seconds, of which nothing was recorded because of the disk."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that the owner has marked: in Unix seconds, and by the monotonic clock of `boot`, as in `Recording`."""

    at: float
    monotonic: float = 0.0
    boot: str = ""


@dataclass(frozen=True, slots=True)
class StoreStats:
    """The state of the folder: the file being written, bytes that wait for the disk, files and their bytes in all.

    `free` is the free space in bytes, as it was before the last file; `problem` is why the last attempt failed.
    """

    folder: str = ""
    file: str = ""
    waiting: int = 0
    files: int = 0
    bytes: int = 0
    free: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """The recorder's status for the operator.

    `in_memory` is how many seconds of the stream are kept to begin a recording or clip with. `gaps` counts the times at
    which something was lost because of the disk, `lost` the seconds.
    """

    mode: str
    state: RecorderState
    in_memory: float
    gaps: int
    lost: float
    store: StoreStats


@dataclass(frozen=True, slots=True)
class SavedClip:
    """A clip that is on the disk: its files in order, more than one if the source changed, and its seconds in all."""

    files: tuple[str, ...]
    duration: float
