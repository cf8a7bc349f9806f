"""All recordings in the folder: checked against the files at the start, kept in order, deleted to make room."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from broadcaster.media.mp4_mend import closed_duration
from broadcaster.media.mp4_reader import Mp4Error
from broadcaster.model.recording import Gap, Mark, Recording, RecordingKind
from broadcaster.outputs.recording.names import MAX_NUMBER, file_name, parse, right_name
from broadcaster.outputs.recording.retention import Limits, make_room
from broadcaster.outputs.recording.wall_clock import WallClock
from broadcaster.storage.recordings.files import mend, playable
from broadcaster.storage.recordings.folder import CLIP_PART, Folder
from broadcaster.storage.recordings.ledger import Ledger

log = logging.getLogger(__name__)

_SAME_MARK = 0.001
"""Seconds; JSON may have rounded the time of a mark."""


class Catalog:
    """The recordings of an open folder, oldest first; use it in one thread. All methods raise OSError."""

    def __init__(self, folder: Folder, clock: WallClock, boot: str) -> None:
        self._ledger = Ledger(folder)
        self._folder = folder
        self._clock = clock
        self._boot = boot
        self._recordings: dict[str, Recording] = {}
        self._last_number = 0
        self._unfinished: set[str] = set()
        """Files that could not be mended yet, such as on a full disk."""
        self._unsure_gaps: dict[Gap, tuple[float, float]] = {}
        """Gaps of this run that were noted before the clock was set, and their times by the monotonic clock."""

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """All recordings, oldest first."""
        return tuple(self._recordings.values())

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was lost because of the disk, oldest first."""
        return self._ledger.gaps

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All marks, oldest first."""
        return self._ledger.marks

    def close(self) -> None:
        """Close the index; idempotent."""
        self._ledger.close()

    def scan(self) -> None:
        """Compare the index with the files, and mend those that were not ended; no file can stop this."""
        with contextlib.suppress(OSError):
            self._folder.check_writable()
            self._folder.delete(CLIP_PART)
        before, found = self._ledger.recordings, []
        for name in self._folder.names():
            try:
                recording = self._examine(name, before.get(name))
            except OSError as error:
                log.warning("recording %s cannot be read: %s", name, error.strerror or error)
                recording = replace(_by_name(name), broken=True)
            if recording is not None:
                found.append(recording)
        self._recordings = {recording.name: recording for recording in sorted(found, key=_order)}
        changed = [one for one in found if before.get(one.name) != one and one.name not in self._unfinished]
        self._ledger.put(*changed, instead_of=before.keys() - self._recordings.keys())

    def begin(self, started_at: float, *, kept: bool, kind: RecordingKind) -> Recording:
        """Return the entry of a new file, which began at this time of the monotonic clock; `put` it once it exists."""
        number, started = self._next_number(), self._clock.unix(started_at)
        name = file_name(number, started, kept=kept, kind=kind)
        return Recording(
            number, name, started, kept=kept, open=True, clock_set=self._clock.is_set, boot=self._boot,
            started_at=started_at, kind=kind,
        )  # fmt: skip

    def put(self, recording: Recording) -> None:
        """Store an entry."""
        self._recordings[recording.name] = recording
        self._ledger.put(recording)

    def add_clip(self, source: Recording, time: float, duration: float) -> Recording:
        """Let the clip that was copied become a recording; it begins at a time in seconds of its source."""
        number, started_at = self._next_number(), source.started_at + time if source.boot else 0.0
        started, clock_set = source.started + time, source.clock_set
        if not clock_set and source.boot == self._boot:  # the clock may have been set meanwhile
            started, clock_set = self._clock.unix(started_at), self._clock.is_set
        recording = Recording(
            number, file_name(number, started, kept=True), started, duration, self._folder.size(CLIP_PART), kept=True,
            clock_set=clock_set, boot=source.boot, started_at=started_at,
        )  # fmt: skip
        self._folder.rename(CLIP_PART, recording.name)
        self._folder.sync()
        self.put(recording)
        return recording

    def add_gap(self, start: float, end: float) -> None:
        """Note that what was captured between two times of the monotonic clock is lost."""
        gap = Gap(self._clock.unix(start), self._clock.unix(end))
        if not self._clock.is_set:
            self._unsure_gaps[gap] = start, end
        self._ledger.note(gaps=[*self.gaps, gap])

    def add_mark(self, monotonic: float) -> Mark:
        """Mark a moment of the monotonic clock."""
        mark = Mark(self._clock.unix(monotonic), monotonic, self._boot)
        self._ledger.note(marks=[*(one for one in self.marks if one.at != mark.at), mark])
        return mark

    def remove_mark(self, at: float) -> bool:
        """Remove the mark of this time, in Unix seconds; return false if there is none."""
        others = [mark for mark in self.marks if abs(mark.at - at) >= _SAME_MARK]
        found = len(others) < len(self.marks)
        self._ledger.note(marks=others)
        return found

    def forget(self, *names: str) -> None:
        """Remove the entries of files that are gone."""
        for name in names:
            self._recordings.pop(name, None)
        self._ledger.put(instead_of=names)

    def get(self, name: str) -> Recording | None:
        """Return an entry by the name of its file."""
        return self._recordings.get(name)

    def keep(self, recording: Recording, *, kept: bool) -> Recording:
        """Mark a recording as kept, or not, which renames its file; return the new entry."""
        changed = replace(recording, kept=kept)
        changed = replace(changed, name=right_name(changed))
        if changed.name != recording.name:
            self._folder.rename(recording.name, changed.name)
            self._replace({recording.name: changed})
            self._ledger.put(changed, instead_of=[recording.name])
        return changed

    def make_room(self, limits: Limits, now: float | None, writing: int = 0) -> tuple[str, int]:
        """Delete what is too old or too much; return why there is no room even then, or "", and the free space.

        `writing`: bytes in files that are being written.
        """
        there = self._folder.everything()
        self.forget(*(self._recordings.keys() - there))
        marks = [mark.at for mark in self.marks]
        if not self._ledger.is_complete:
            now = None  # what is old may have been marked
        room = make_room(self.recordings, limits, self._folder.free(), now, marks, writing)
        for recording in room.delete:
            self._folder.delete(recording.name)
            log.debug("deleted recording %s to make room", recording.name)
        self.forget(*(recording.name for recording in room.delete))
        if self._recordings and self._ledger.is_complete:
            self._ledger.forget_before(min(recording.started for recording in self._recordings.values()))
        return room.problem, self._folder.free()

    def mend_unfinished(self, except_for: Iterable[str]) -> None:
        """End the files that could not be ended when they should have been, such as on a full disk."""
        writing = set(except_for)
        for recording in self.recordings:
            if (recording.open or recording.name in self._unfinished) and recording.name not in writing:
                with contextlib.suppress(OSError):
                    self._mend_again(recording)

    def correct_times(self) -> dict[str, str]:
        """Give the right time to recordings that began before the clock was set; return old and new names."""
        corrected = {}
        for recording in self.recordings:
            if not recording.clock_set and recording.boot == self._boot:
                corrected[recording.name] = self._corrected(recording)
        self._replace(corrected)
        self._ledger.put(*corrected.values(), instead_of=corrected)
        self._correct_notes(marks=bool(corrected))
        return {old: recording.name for old, recording in corrected.items()}

    def _next_number(self) -> int:
        numbers = (one.number for one in self._recordings.values() if one.number < MAX_NUMBER)
        self._last_number = max(self._last_number, *numbers, 0) + 1
        return self._last_number

    def _correct_notes(self, *, marks: bool) -> None:
        """Give the right time to gaps of this run, and to marks that were set since this machine's start."""
        unix, unsure = self._clock.unix, self._unsure_gaps
        self._unsure_gaps = {}
        self._ledger.note(
            gaps=[Gap(*map(unix, unsure[gap])) if gap in unsure else gap for gap in self.gaps],
            marks=[
                replace(mark, at=unix(mark.monotonic)) if marks and mark.boot == self._boot else mark
                for mark in self.marks
            ],
        )

    def _replace(self, changed: dict[str, Recording]) -> None:
        """Replace entries, by their old names, in the same places."""
        everything = [changed.get(recording.name, recording) for recording in self.recordings]
        self._recordings = {recording.name: recording for recording in everything}
        self._unfinished = {changed[name].name if name in changed else name for name in self._unfinished}

    def _corrected(self, recording: Recording) -> Recording:
        """Return the entry with the right time, and rename the file."""
        right = replace(recording, started=self._clock.unix(recording.started_at), clock_set=True)
        name = right_name(right)
        try:
            if name != recording.name:
                self._folder.rename(recording.name, name)
                right = replace(right, name=name)
        except OSError as error:
            log.warning("recording %s cannot be renamed: %s", recording.name, error.strerror or error)
        return right

    def _examine(self, name: str, indexed: Recording | None) -> Recording | None:
        """Return the entry of a file; None if there was nothing in it."""
        size = self._folder.size(name)
        if indexed is not None and indexed.size == size and not indexed.open and not indexed.broken:
            return indexed
        recording = replace(indexed or _by_name(name), size=size, open=False, broken=False)
        descriptor = self._folder.open_file(name, os.O_RDONLY)
        try:
            recording = replace(recording, duration=closed_duration(partial(os.pread, descriptor)))
        except Mp4Error:
            mended = self._mend(recording)
            if mended is None:
                return None
            recording = mended
        finally:
            os.close(descriptor)
        return recording

    def _mend(self, recording: Recording) -> Recording | None:
        """Return the entry after mending its file; None if there was nothing in it."""
        began = time.monotonic()
        try:
            self._folder.check_writable()
            extent = mend(self._folder, recording.name)
        except Mp4Error as error:
            log.warning("recording %s is damaged and cannot be played: %s", recording.name, error)
            return replace(recording, broken=True, open=False)
        except OSError as error:
            return self._unmended(recording, error)
        self._unfinished.discard(recording.name)
        if extent is None:
            log.info("recording %s was empty, and is deleted", recording.name)
            return None
        log.info(
            "recording %s was interrupted; mended in %.2f s: %.1f s of video",
            recording.name, time.monotonic() - began, extent.duration,
        )  # fmt: skip
        return replace(recording, duration=extent.duration, size=extent.size, open=False)

    def _unmended(self, recording: Recording, error: OSError) -> Recording | None:
        """Return the entry of a file that cannot be mended before the disk can be written; it plays nevertheless."""
        if recording.name not in self._unfinished:
            log.warning("recording %s cannot be ended yet: %s", recording.name, error.strerror or error)
        self._unfinished.add(recording.name)
        with contextlib.suppress(Mp4Error):
            recording = replace(recording, duration=playable(self._folder, recording.name))
        return replace(recording, open=False)

    def _mend_again(self, recording: Recording) -> None:
        mended = self._mend(recording)
        if mended is None:
            self.forget(recording.name)
        elif mended.name in self._unfinished:
            self._recordings[mended.name] = mended
        else:
            self.put(mended)


def _by_name(name: str) -> Recording:
    """Return the entry that a file's name tells."""
    parts = parse(name)
    assert parts is not None
    return Recording(parts.number, name, parts.started, kept=parts.kept, kind=parts.kind)


def _order(recording: Recording) -> tuple[int, str]:
    return recording.number, recording.name
