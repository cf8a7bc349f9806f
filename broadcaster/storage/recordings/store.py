"""The thread that writes recordings, behind a bounded queue: the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TypeVar

from broadcaster.errors import RecordError
from broadcaster.model.recording import Gap, Mark, Recording, SavedClip, StoreStats
from broadcaster.outputs.recording.retention import Limits
from broadcaster.ports import Clock
from broadcaster.ports.recording import Chunk, Segment
from broadcaster.settings import RecordSettings
from broadcaster.settings.paths import absolute
from broadcaster.storage.recordings.disk import Disk, Job
from broadcaster.storage.recordings.folder import Folder

log = logging.getLogger(__name__)

MAX_WAITING = 16 << 20
"""Bytes that may wait for the disk: 50 s at 2.5 Mbit/s. SD cards stop for up to 7 s now and then."""

RETRY_AFTER = 10.0
"""Seconds from a failure of the disk to the next attempt."""

CLOSE_LIMIT = 2.5
"""Seconds for the disk to finish at shutdown; what is not finished then is mended at the next start."""

ASK_LIMIT = 10.0
"""Seconds for the disk to do what somebody waits for."""

Answer = TypeVar("Answer")


def open_store(record: RecordSettings, state: Path, clock: Clock) -> DiskStore:
    """Return the store of the folder in the settings; `state` is the state folder."""
    folder = Path(absolute(record.folder)) if record.folder else state / "recordings"
    return DiskStore(folder, _limits(record), clock)


def _limits(record: RecordSettings) -> Limits:
    return Limits(record.keep_days, record.keep_bytes, record.keep_free)


class DiskStore:
    """`ports.recording.RecordingStore`: one thread, one folder."""

    def __init__(self, folder: Path, limits: Limits, clock: Clock, max_waiting: int = MAX_WAITING) -> None:
        self._disk = Disk(Folder(folder), limits, clock)
        self._clock = clock
        self._folder = folder
        self._max_waiting = max_waiting
        self._jobs: dict[Segment, Job] = {}
        self._calls: queue.SimpleQueue[tuple[Callable[[], None], Job | None] | None] = queue.SimpleQueue()
        # Each is changed by one thread only.
        self._queued = 0
        self._written = 0
        self._calls_made = 0
        self._failures = 0
        self._failed_at = float("-inf")
        # A daemon thread, so that a disk that hangs cannot keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Bytes that wait for the disk."""
        return self._queued - self._written

    @property
    def problem(self) -> str:
        """Why the last attempt to write failed; empty again once one has succeeded."""
        return self._disk.problem

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was lost because of the disk, oldest first."""
        return self._disk.gaps

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All marks, oldest first."""
        return self._disk.marks

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """All recordings, oldest first."""
        return self._disk.recordings

    def start(self) -> None:
        """Start the thread, which first mends what a power cut has left."""
        self._thread.start()
        self._call(self._disk.open)

    async def close(self) -> None:
        """Finish what was ended, and stop the thread, within `CLOSE_LIMIT`; idempotent."""
        if not self._thread.is_alive():
            return
        if not self._is_closed:
            self._is_closed = True
            self._call(self._disk.close)
            self._calls.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_LIMIT)
        if self._thread.is_alive():
            log.error("the disk does not respond; the last recording is mended at the next start")

    def set_retention(self, record: RecordSettings) -> bool:
        """Apply new limits, from the next file on; nothing is deleted before."""
        self._disk.limits = _limits(record)
        return True

    def may_begin(self, now: float) -> bool:
        """Return whether to begin a file: not right after a failure, nor while half of the queue is full."""
        if self._disk.failures != self._failures:
            self._failures, self._failed_at = self._disk.failures, now
        return self.waiting <= self._max_waiting // 2 and now - self._failed_at >= RETRY_AFTER

    def begin(self, segment: Segment) -> None:
        """Begin a file."""
        job = self._jobs[segment] = Job(segment)
        self._call(partial(self._disk.begin, job), job)

    def write(self, segment: Segment, chunk: Chunk, *, live: bool = True) -> bool:
        """Append a chunk to a file that was begun; false if the file failed, or too much waits for the disk."""
        job = self._jobs[segment]
        size = chunk.size if live else 0
        if job.failed or self.waiting + size > self._max_waiting:
            return False
        self._queued += size
        self._call(partial(self._write, job, chunk, size, flush=live), job)
        return True

    def end(self, segment: Segment) -> None:
        """End a file."""
        job = self._jobs[segment] if segment.kept else self._jobs.pop(segment)
        self._call(partial(self._disk.end, job), job)

    async def saved(self, segments: Sequence[Segment]) -> SavedClip:
        """Return when these files, which are kept, are on the disk. Raises `RecordError`.

        The disk may take its time, but must do something every `ASK_LIMIT` seconds.
        """
        jobs = [self._jobs.pop(segment) for segment in segments]
        result: Future[SavedClip] = Future()
        self._call(partial(_answer, partial(self._disk.report, jobs), result))
        waiting, calls = asyncio.wrap_future(result), -1
        try:
            while not waiting.done() and calls != self._calls_made:
                calls = self._calls_made
                await asyncio.wait([waiting], timeout=ASK_LIMIT)
            if not waiting.done():
                raise RecordError("the disk does not respond")
            return waiting.result()
        finally:
            waiting.cancel()

    def note_gap(self, start: float, end: float) -> None:
        """Note in the index that what was captured between these times is lost."""
        self._call(partial(self._disk.note_gap, start, end))

    def path(self, recording: Recording) -> Path:
        """Return the file of a recording."""
        return self._folder / recording.name

    async def delete(self, name: str) -> None:
        """Delete a recording. Raises `RecordError` if it is being written or cannot be deleted."""
        await self._ask(partial(self._disk.delete, name))

    async def keep(self, name: str, kept: bool) -> Recording:
        """Mark a recording as one that is never deleted to make room, or not. Raises `RecordError`."""
        return await self._ask(partial(self._disk.keep, name, kept=kept))

    async def mark(self, monotonic: float) -> float:
        """Mark a moment of the monotonic clock; return it in Unix seconds. Raises `RecordError`."""
        return await self._ask(partial(self._disk.mark, monotonic))

    async def remove_mark(self, at: float) -> None:
        """Remove the mark at this time in Unix seconds. Raises `RecordError` if there is none."""
        await self._ask(partial(self._disk.remove_mark, at))

    async def create_clip(self, size: int) -> FileIO:
        """Return a new file for a clip of so many bytes. Raises `RecordError`, such as if there is no room for it."""
        return await self._ask(partial(self._disk.create_clip, size))

    async def add_clip(self, source: Recording, time: float, duration: float) -> Recording:
        """Let that file, which is complete, become a recording that is kept. Raises `RecordError`.

        It begins at `time` in its source, in seconds.
        """
        return await self._ask(partial(self._disk.add_clip, source, time, duration))

    def drop_clip(self) -> None:
        """Delete that file as soon as the disk responds."""
        self._call(self._disk.drop_clip)

    @property
    def limits(self) -> Limits:
        """The retention."""
        return self._disk.limits

    def stats(self) -> StoreStats:
        """Return the state of the folder."""
        disk = self._disk
        total = disk.written + sum(recording.size for recording in disk.recordings)
        return StoreStats(
            str(self._folder), disk.file, self.waiting, len(disk.recordings), total, disk.free, disk.problem
        )

    async def _ask(self, function: Callable[[], Answer]) -> Answer:
        """Return what a function returns in the thread. Raises `RecordError`.

        If the disk does not respond within `ASK_LIMIT`, the function is not called any more, unless it has begun.
        """
        result: Future[Answer] = Future()
        self._call(partial(_answer, function, result))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(result), ASK_LIMIT)
        except TimeoutError:
            raise RecordError("the disk does not respond") from None

    def _write(self, job: Job, chunk: Chunk, size: int, *, flush: bool) -> None:
        try:
            self._disk.write(job, chunk, flush=flush)
        finally:
            self._written += size

    def _call(self, function: Callable[[], None], job: Job | None = None) -> None:
        self._calls.put((function, job))

    def _run(self) -> None:
        """In the thread: make the calls, one after the other."""
        while (call := self._next_call()) is not None:
            function, job = call
            try:
                function()
            except Exception as error:
                log.exception("internal error in the thread that writes recordings; please report it")
                self._disk.fail(job, error)
            self._calls_made += 1

    def _next_call(self) -> tuple[Callable[[], None], Job | None] | None:
        """Wait for the next call; without a folder, such as before a disk is plugged in, it is opened now and then."""
        try:
            return self._calls.get(timeout=None if self._disk.is_open else RETRY_AFTER)
        except queue.Empty:
            return self._disk.open, None


def _answer(function: Callable[[], Answer], result: Future[Answer]) -> None:
    """In the thread: make a call for somebody who waits for its result, unless they have given up."""
    if not result.set_running_or_notify_cancel():
        return
    try:
        result.set_result(function())
    except (OSError, RecordError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        result.set_exception(RecordError(problem))
    except Exception:
        result.set_exception(RecordError("internal error"))
        raise
