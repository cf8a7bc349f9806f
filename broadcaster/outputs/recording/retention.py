"""Which recordings are deleted to make room for the next one. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broadcaster.model.quantities import size_text
from broadcaster.model.recording import Recording

_DAY = 86_400
_RESERVE = 64 << 20
"""Bytes that a clip leaves free: recording goes on for minutes until retention makes room again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`record.keep_days`, `record.keep_bytes` (0: no limit) and `record.keep_free` in bytes."""

    days: float = 0.0
    bytes: int = 0
    free: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """The recordings to delete, oldest first, and why there is no room for another one even then; empty if there is."""

    delete: list[Recording]
    problem: str = ""


def is_marked(recording: Recording, marks: Sequence[float]) -> bool:
    """Return whether one of `marks`, in ascending order, is in a recording; both in Unix seconds."""
    first = bisect_left(marks, recording.started)
    return first < len(marks) and marks[first] <= recording.started + recording.duration


def make_room(
    recordings: Iterable[Recording],
    limits: Limits,
    free: int,
    now: float | None,
    marks: Sequence[float] = (),
    writing: int = 0,
) -> Room:
    """Return what to delete so that another file fits within the limits.

    `recordings` are all of them, oldest first. Kept ones count, and are not deleted. Those with one of `marks` (in Unix
    seconds) in them are not deleted for their age, and for space only after all others. `free` is the free space in
    bytes, `now` in Unix seconds; None if the clock may be wrong, and nothing is too old then.
    `writing`: bytes in files that are being written, whose entries have no size yet.
    """
    everything = list(recordings)
    marked = {recording.name for recording in everything if is_marked(recording, marks)}
    total = writing + sum(recording.size for recording in everything)
    oldest_allowed = now - limits.days * _DAY if now is not None and limits.days else float("-inf")
    delete: list[Recording] = []
    for recording in sorted(everything, key=lambda recording: recording.name in marked):
        if recording.kept or recording.open:
            continue
        ended = recording.started + recording.duration
        too_old = recording.name not in marked and ended < oldest_allowed
        if too_old or free < limits.free or 0 < limits.bytes < total:
            delete.append(recording)
            free += recording.size
            total -= recording.size
    if free < limits.free:
        return Room(delete, f"only {free / 1e9:.2g} GB are free on the disk (record.keep_free)")
    if 0 < limits.bytes < total:
        return Room(delete, "kept recordings alone need more than record.keep_bytes")
    return Room(delete)


def clip_problem(recordings: Iterable[Recording], limits: Limits, free: int, size: int) -> str:
    """Return why a clip of `size` bytes must not be kept besides these recordings; an empty text if it may.

    It may use what `record.keep_free` reserves, as that is free again after the next deletions.
    """
    if free < size + _RESERVE:
        return (
            f"the clip needs {size_text(size)}, and only {size_text(max(free - _RESERVE, 0))} of the disk can be used"
        )
    kept = sum(recording.size for recording in recordings if recording.kept)
    if 0 < limits.bytes < kept + size:
        return "kept recordings and this clip would need more than record.keep_bytes"
    return ""
