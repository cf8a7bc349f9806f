"""What should be in the index: in memory, and in its file whenever that can be written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from broadcaster.model.recording import Gap, Mark, Recording
from broadcaster.storage.recordings.folder import Folder
from broadcaster.storage.recordings.index import Index, IndexDamaged, set_aside

log = logging.getLogger(__name__)

_START_TIMEOUT = 2.0
_TIMEOUT = 0.2
"""Seconds to wait while another program has locked the index: at the start, and when it is opened again."""
_MAX_NOTES = 10_000
"""Gaps and marks that are kept, each."""


class Ledger:
    """The index of an open folder; use it in one thread. A problem of the file is logged once, and raises nothing.

    What could not be written is written with the next change. `is_complete`: the file has been read, or is new; the
    marks of former days are not known before.
    """

    def __init__(self, folder: Folder) -> None:
        self.is_complete = False
        self.gaps: tuple[Gap, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self._recordings: dict[str, Recording] = {}
        self._folder = folder
        self._may_write = folder.is_locked
        self._index: Index | None = None
        self._problem = ""
        try:
            self._index = Index(folder.path, _START_TIMEOUT)
            self._read(self._index)
        except OSError as error:
            self._give_up(error)

    @property
    def recordings(self) -> dict[str, Recording]:
        """A copy of the recordings, by the names of their files."""
        return dict(self._recordings)

    def close(self) -> None:
        """Write what has not been written, and close the file; idempotent."""
        if self._problem:
            self._change(lambda index: None)
        self._close_file()

    def put(self, *recordings: Recording, instead_of: Iterable[str] = ()) -> None:
        """Store recordings, and remove those with other names."""
        removed = list(instead_of)
        if not recordings and not removed:
            return
        for name in removed:
            self._recordings.pop(name, None)
        self._recordings.update((recording.name, recording) for recording in recordings)
        self._change(lambda index: index.put(*recordings, instead_of=removed))

    def note(self, *, gaps: Iterable[Gap] | None = None, marks: Iterable[Mark] | None = None) -> None:
        """Replace the gaps, or the marks, or both; the oldest are dropped if there are too many."""
        before = self.gaps, self.marks
        self._set_notes(self.gaps if gaps is None else gaps, self.marks if marks is None else marks)
        if (self.gaps, self.marks) != before:
            self._change(lambda index: index.put_notes(self.gaps, self.marks))

    def forget_before(self, moment: float) -> None:
        """Remove gaps and marks that are older than any recording, which began at this moment in Unix seconds."""
        self.note(
            gaps=[gap for gap in self.gaps if gap.end >= moment],
            marks=[mark for mark in self.marks if mark.at >= moment],
        )

    def _change(self, change: Callable[[Index], None]) -> None:
        """Make a change in the file that has been made in memory, unless the folder was opened for reading only."""
        if not self._may_write:
            return
        try:
            try:
                if self._index is not None:
                    change(self._index)
                else:
                    self._write_everything()
            except IndexDamaged as error:
                self._close_file()
                self._check_folder()
                log.warning("the index of the recordings is damaged (%s); making it again", error)
                set_aside(self._folder.path)
                self._write_everything()
            self._problem = ""
        except OSError as error:
            self._give_up(error)

    def _write_everything(self) -> None:
        """Open the file, and let it be as in memory, after adding what memory does not know yet. Raises OSError."""
        self._check_folder()
        index = self._index = Index(self._folder.path, _TIMEOUT)
        if not self.is_complete:
            self._read(index)
        index.rewrite(self._recordings.values(), self.gaps, self.marks)

    def _check_folder(self) -> None:
        """Raise OSError if there may be another disk in the place of the folder, whose index must not be touched."""
        if not self._folder.is_open:
            raise OSError(f"{self._folder.path} is gone")

    def _read(self, index: Index) -> None:
        """Add what is in the file to what is in memory. Raises OSError."""
        (gaps, marks), found = index.notes(), {recording.name: recording for recording in index.all()}
        self._set_notes({*gaps, *self.gaps}, {*marks, *self.marks})
        if self._problem:  # the files are known already, but not the times by the monotonic clock
            for name, recording in self._recordings.items():
                if (old := found.get(name)) is not None and not recording.boot:
                    clocks = {"boot": old.boot, "started_at": old.started_at, "clock_set": old.clock_set}
                    self._recordings[name] = replace(recording, **clocks)  # type: ignore[arg-type]
        else:
            self._recordings = found
        self.is_complete = True

    def _set_notes(self, gaps: Iterable[Gap], marks: Iterable[Mark]) -> None:
        self.gaps = tuple(sorted(gaps, key=lambda gap: gap.start)[-_MAX_NOTES:])
        self.marks = tuple(sorted(marks, key=lambda mark: mark.at)[-_MAX_NOTES:])

    def _give_up(self, error: OSError) -> None:
        self._close_file()
        if not self._problem and self._folder.is_open:  # otherwise the folder is the problem
            log.warning("%s; recording goes on without it", error)
        self._problem = str(error)

    def _close_file(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
