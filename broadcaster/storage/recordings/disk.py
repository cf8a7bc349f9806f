"""The disk's side of the recorder, in a thread of its own: opens the folder, writes, ends and deletes files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO

from broadcaster.errors import RecordError
from broadcaster.model.quantities import count_text, size_text
from broadcaster.model.recording import Gap, Mark, Recording, SavedClip
from broadcaster.outputs.recording.retention import Limits, clip_problem
from broadcaster.outputs.recording.wall_clock import WallClock
from broadcaster.ports import Clock
from broadcaster.ports.recording import Chunk, Segment
from broadcaster.storage.recordings.catalog import Catalog
from broadcaster.storage.recordings.files import RecordingFile
from broadcaster.storage.recordings.folder import CLIP_PART, Folder
from broadcaster.storage.recordings.time_service import TimeService, boot_id

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A segment and what has become of it: the file while it is written, and in the end what was saved, or `failed`."""

    segment: Segment
    file: RecordingFile | None = None
    saved: SavedClip | None = None
    failed: bool = False


class Disk:
    """Writes segments into the folder; a failure ends that segment only.

    All methods run in one thread. The public attributes may be read in others: `problem` is the last failure, until a
    write has succeeded; `failures` counts them; `file` is the name of the file being written; `written` are the bytes
    of all that are being written.
    """

    def __init__(
        self, folder: Folder, limits: Limits, clock: Clock, synchronized: Callable[[], bool] | None = None
    ) -> None:
        """`synchronized` tells whether the clock is known to be right."""
        self.problem = ""
        self.failures = 0
        self.free = 0
        self.file = ""
        self.written = 0
        self.recordings: tuple[Recording, ...] = ()
        self.gaps: tuple[Gap, ...] = ()
        self.marks: tuple[Mark, ...] = ()
        self._folder = folder
        self.limits = limits
        self._clock = clock
        self._synchronized = synchronized or TimeService(clock.monotonic).is_synchronized
        self._wall_clock = WallClock()
        self._must_correct = False
        self._catalog: Catalog | None = None
        self._writing: list[Job] = []

    @property
    def is_open(self) -> bool:
        """Whether the folder has been opened."""
        return self._catalog is not None

    def open(self) -> None:
        """Open the folder, mend what a power cut has left, and delete what is too old or too much."""
        with self._failing(None):
            catalog = self._writable_folder()
            self._make_room(catalog)
            self._mend_unfinished(catalog)
            self.problem = ""

    def begin(self, job: Job) -> None:
        """Begin a file."""
        with self._failing(job):
            catalog = self._writable_folder()
            self._correct_times()
            if problem := self._make_room(catalog):
                raise RecordError(problem)
            self._mend_unfinished(catalog)
            entry = catalog.begin(job.segment.started, kept=job.segment.kept, kind=job.segment.kind)
            job.file = RecordingFile(self._folder, entry.name, job.segment)
            self._writing.append(job)
            catalog.put(entry)
            self._publish()

    def write(self, job: Job, chunk: Chunk, *, flush: bool) -> None:
        """Append a chunk."""
        if job.file is None:
            return
        with self._failing(job):
            job.file.write(chunk, flush=flush)
            self._count_written()
            self._correct_times()
            self.problem = ""

    def end(self, job: Job) -> None:
        """End a file."""
        file, job.file = job.file, None
        if file is None or self._catalog is None:
            return
        self._writing.remove(job)
        with self._failing(job):
            entry, duration = self._catalog.get(file.name), file.extent.duration
            if not file.end():
                job.failed = True
                self._catalog.forget(file.name)
            elif entry is not None:
                size = self._folder.size(file.name)
                self._catalog.put(replace(entry, open=False, duration=duration, size=size))
                job.saved = SavedClip((file.name,), duration)
        self._publish()

    def report(self, jobs: Sequence[Job]) -> SavedClip:
        """Return which files these segments have become. Raises `RecordError` if they have not."""
        saved = [job.saved for job in jobs if job.saved is not None]
        if len(saved) < len(jobs):
            raise RecordError(f"the clip could not be written: {self.problem or 'it is empty'}")
        names = tuple(name for one in saved for name in one.files)
        return SavedClip(names, round(sum(one.duration for one in saved), 3))

    def note_gap(self, start: float, end: float) -> None:
        """Note in the index that what was captured between two times of the monotonic clock is lost."""
        if self._catalog is not None:
            with self._failing(None):
                self._catalog.add_gap(start, end)
                self._publish()

    def mark(self, monotonic: float) -> float:
        """Mark a moment of the monotonic clock; return it in Unix seconds. Raises `RecordError` and OSError."""
        mark = self._usable().add_mark(monotonic)
        self._publish()
        return mark.at

    def remove_mark(self, at: float) -> None:
        """Remove the mark at this time in Unix seconds. Raises `RecordError` if there is none, and OSError."""
        if not self._usable().remove_mark(at):
            raise RecordError("there is no such mark")
        self._publish()

    def delete(self, name: str) -> None:
        """Delete a recording. Raises `RecordError` and OSError."""
        catalog, recording = self._find(name)
        if any(job.file is not None and job.file.name == name for job in self._writing):
            raise RecordError(f"{name} is being written")
        self._folder.delete(recording.name)
        catalog.forget(name)
        self._publish()

    def keep(self, name: str, *, kept: bool) -> Recording:
        """Mark a recording as kept, or not, which changes its name. Raises `RecordError` and OSError."""
        catalog, recording = self._find(name)
        changed = catalog.keep(recording, kept=kept)
        for job in self._writing:
            if job.file is not None and job.file.name == name:
                job.file.name = changed.name
        self._publish()
        return changed

    def create_clip(self, size: int) -> FileIO:
        """Return a new file for a clip of this size; nothing is deleted for it. Raises `RecordError` and OSError."""
        self._usable()
        if problem := clip_problem(self.recordings, self.limits, self._folder.free(), size):
            raise RecordError(problem)
        self.drop_clip()
        return FileIO(self._folder.create(CLIP_PART), "r+")

    def add_clip(self, source: Recording, time: float, duration: float) -> Recording:
        """Let that file, which is complete, become a recording. Raises `RecordError` and OSError."""
        recording = self._usable().add_clip(source, time, duration)
        self._publish()
        return recording

    def drop_clip(self) -> None:
        """Delete what was copied of a clip."""
        if self._folder.is_open:
            self._folder.delete(CLIP_PART)

    def close(self) -> None:
        """End all files and release the folder."""
        for job in list(self._writing):
            self.end(job)
        self._close_catalog()
        self._folder.close()

    def fail(self, job: Job | None, error: Exception) -> None:
        """Give a segment up; each problem is logged once, until recording works again."""
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if problem != self.problem:
            log.warning("cannot record to %s: %s", self._folder.path, problem)
        self.problem = problem
        self.failures += 1
        if job is not None:
            job.failed = True
            self.end(job)

    def _usable(self) -> Catalog:
        """Return the catalog. Raises `RecordError` if the folder is gone, and OSError if it is read-only."""
        if self._catalog is None or not self._folder.is_open:
            raise RecordError("the folder of recordings cannot be used")
        self._folder.check_writable()
        return self._catalog

    def _find(self, name: str) -> tuple[Catalog, Recording]:
        """Return the catalog and a recording in it, to change it. Raises `RecordError` and OSError."""
        recording = None if self._catalog is None else self._catalog.get(name)
        if self._catalog is None or recording is None:
            raise RecordError("there is no such recording")
        self._folder.check_writable()
        return self._catalog, recording

    def _open_folder(self) -> Catalog:
        """Return the catalog of the folder, which is opened if it is new or was replaced."""
        if self._catalog is not None and self._folder.is_open:
            return self._catalog
        self._close_catalog()
        self._read_clocks()
        self._folder.open()
        self._catalog = Catalog(self._folder, self._wall_clock, boot_id())
        self._catalog.scan()
        self._publish()
        total = sum(recording.size for recording in self.recordings)
        files, free = count_text(len(self.recordings), "file"), size_text(self._folder.free())
        log.info("%s, %s in %s; %s free", files, size_text(total), self._folder.path, free)
        return self._catalog

    def _writable_folder(self) -> Catalog:
        """Return the catalog of the folder; one that could only be read before is read again."""
        catalog = self._open_folder()
        if not self._folder.is_locked:
            self._folder.lock()
            self._close_catalog()
            catalog = self._open_folder()
        return catalog

    def _mend_unfinished(self, catalog: Catalog) -> None:
        catalog.mend_unfinished({one.file.name for one in self._writing if one.file})
        self._publish()

    def _close_catalog(self) -> None:
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def _make_room(self, catalog: Catalog) -> str:
        """Delete what is too old or too much; return why there is no room even then, or an empty text."""
        now = self._clock.unix() if self._wall_clock.tells_age(self._clock.monotonic()) else None
        problem, self.free = catalog.make_room(self.limits, now, self.written)
        self._publish()
        return problem

    def _read_clocks(self) -> None:
        unix, monotonic = self._clock.unix(), self._clock.monotonic()
        if self._wall_clock.update(unix, monotonic, synchronized=self._synchronized()):
            self._must_correct = True

    def _correct_times(self) -> None:
        """Rename the recordings that began before the clock was set, if it has been set since the last call."""
        self._read_clocks()
        if not self._must_correct or self._catalog is None:
            return
        self._must_correct = False
        renamed = self._catalog.correct_times()
        for job in self._writing:
            if job.file is not None:
                job.file.name = renamed.get(job.file.name, job.file.name)
        if renamed:
            log.info("the clock is set; the times of %s are corrected", count_text(len(renamed), "recording"))
        self._publish()

    def _publish(self) -> None:
        catalog = self._catalog
        self.recordings = () if catalog is None else catalog.recordings
        self.gaps = () if catalog is None else catalog.gaps
        self.marks = () if catalog is None else catalog.marks
        self.file = next((job.file.name for job in self._writing if job.file), "")
        self._count_written()

    def _count_written(self) -> None:
        self.written = sum(job.file.size for job in self._writing if job.file)

    @contextlib.contextmanager
    def _failing(self, job: Job | None) -> Iterator[None]:
        """Let a failure of the disk inside the block end `job` only."""
        try:
            yield
        except (OSError, RecordError) as error:
            self.fail(job, error)
