"""Several recordings as one film: which parts of which files show a range of time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from broadcaster.media.mp4_fragments import FragmentTable, Span
from broadcaster.model.recording import Recording

_SHORTEST = 1.0
"""Seconds; less than this between two files is not filled from a third one."""

_CONTINUOUS = 1.0
"""Seconds from the end of a file to one that continues it; the film has them, too. A longer pause is cut out."""

File = tuple[Recording, FragmentTable]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FilmPart:
    """From one place of a file's table to another."""

    recording: Recording
    table: FragmentTable
    first: int
    last: int

    @property
    def span(self) -> Span:
        """The bytes and the time in the file."""
        return self.table.span(self.first, self.last)

    @property
    def start(self) -> float:
        """When it was captured, in Unix seconds."""
        return self.recording.started + self.span.time


def film_parts(files: Iterable[File], start: float, end: float) -> list[FilmPart]:
    """Return the parts that show what was captured between two times in Unix seconds, in their order.

    Clips contain what other files contain, too. Each moment is shown once: from the file with the lowest number, which
    is that of the continuous recording.
    """
    covered: list[Interval] = []
    parts = []
    for recording, table in sorted(files, key=lambda file: file[0].number):
        wanted = max(start, recording.started), min(end, recording.started + table.duration)
        for piece in _without(wanted, covered):
            is_cut = piece != wanted
            if is_cut and piece[1] - piece[0] < _SHORTEST:
                continue
            begin, stop = (moment - recording.started for moment in piece)
            first, last = table.between(begin, stop, inside=piece[0] != wanted[0])
            if first < last:
                parts.append(FilmPart(recording, table, first, last))
        if wanted[0] < wanted[1]:
            covered.append(wanted)
    return sorted(parts, key=lambda part: part.start)


def pause_between(before: FilmPart, part: FilmPart) -> float:
    """Return the seconds between two parts in the film: none, unless the second one continues the first."""
    return max(_pause(before, part), 0.0) if continues(before, part) else 0.0


def continues(before: FilmPart, part: FilmPart) -> bool:
    """Return whether a part was captured right after another one."""
    return abs(_pause(before, part)) < _CONTINUOUS


def _pause(before: FilmPart, part: FilmPart) -> float:
    """Return the seconds from the end of one part to the beginning of the next, as they were captured."""
    ended = before.span.time + before.span.duration
    one, other = before.recording, part.recording
    if one.boot and one.boot == other.boot:  # exact, whatever has happened to the clock
        return other.started_at + part.span.time - (one.started_at + ended)
    return part.start - (one.started + ended)


def _without(wanted: Interval, covered: Sequence[Interval]) -> Iterator[Interval]:
    """Yield what remains of an interval without those that are covered."""
    begin, end = wanted
    for other_begin, other_end in sorted(covered):
        if other_end <= begin or other_begin >= end:
            continue
        if other_begin > begin:
            yield begin, other_begin
        begin = max(begin, other_end)
    if begin < end:
        yield begin, end
