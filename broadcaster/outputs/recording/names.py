"""Names of recordings: a counter that keeps their order whatever the clock does, and the time in UTC. Pure."""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass

from broadcaster.model.recording import Recording, RecordingKind

_NAME = re.compile(r"(\d{6,12})_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(_timelapse)?(_kept)?\.mp4", re.ASCII)
_TIME = "%Y-%m-%dT%H-%M-%SZ"
"""ISO 8601 without colons, which FAT and Windows do not allow."""
MAX_NUMBER = 10**11
"""A number from here on was not given by the recorder; the next one would soon be too long to be a number."""
_LATEST = 253_402_300_799
"""The last second of the year 9999, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class NameParts:
    """What the name of a file tells; `started` in Unix seconds."""

    number: int
    started: float
    kept: bool
    kind: RecordingKind = RecordingKind.VIDEO


def file_name(number: int, started: float, *, kept: bool, kind: RecordingKind = RecordingKind.VIDEO) -> str:
    """Return the name of a file, such as `000123_2026-03-01T12-30-00Z.mp4`."""
    moment = time.strftime(_TIME, time.gmtime(min(max(started, 0), _LATEST)))
    suffix = ("_timelapse" if kind is RecordingKind.TIMELAPSE else "") + ("_kept" if kept else "")
    return f"{number:06}_{moment}{suffix}.mp4"


def parse(name: str) -> NameParts | None:
    """Return the parts of a name; None for files that are not the recorder's."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        started = calendar.timegm(time.strptime(match[2], _TIME))
    except ValueError:
        return None
    kind = RecordingKind.TIMELAPSE if match[3] else RecordingKind.VIDEO
    return NameParts(int(match[1]), float(started), match[4] is not None, kind)


def right_name(recording: Recording) -> str:
    """Return the name that a recording should have."""
    return file_name(recording.number, recording.started, kept=recording.kept, kind=recording.kind)
