"""Saves part of what was recorded as a recording of its own that is kept: copied, not encoded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import FileIO

from broadcaster.errors import BusyError, RecordError
from broadcaster.model.recording import SavedClip
from broadcaster.outputs.recording.film import FilmPart
from broadcaster.storage.recordings.clip_file import ClipFile, clip_size
from broadcaster.storage.recordings.reading import RecordingReader
from broadcaster.storage.recordings.store import ASK_LIMIT, DiskStore
from broadcaster.storage.recordings.tables import reading
from broadcaster.worker import Worker

log = logging.getLogger(__name__)

_MAX_WAITING = 4
"""Clips that may wait until others are saved."""
_NO_ANSWER = "the disk does not respond"


@dataclass(slots=True)
class _Copying:
    """A clip that is being copied: `steps` counts what the disk has done; the thread ends at the next one if `over`."""

    steps: int = 0
    over: bool = False

    def step(self) -> None:
        """In the thread: go on, unless nobody waits any more. Raises `RecordError`."""
        self.steps += 1
        if self.over:
            raise RecordError(_NO_ANSWER)


class ClipSaver:
    """`ports.recording.ClipSaver`: copies in a thread of its own, one clip after the other."""

    def __init__(self, store: DiskStore, reader: RecordingReader, patience: float = ASK_LIMIT) -> None:
        """`patience`: seconds without progress after which the disk counts as one that does not respond."""
        self._store = store
        self._reader = reader
        self._patience = patience
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def save(self, start: float, end: float) -> SavedClip:
        """Save what was recorded between two times in Unix seconds. Raises `RecordError` and `BusyError`."""
        if self._waiting > _MAX_WAITING:
            raise BusyError("too many clips are being saved")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._save(start, end)
        finally:
            self._waiting -= 1

    async def _save(self, start: float, end: float) -> SavedClip:
        parts = await self._reader.parts_of_one_format(start, end)
        file = await self._store.create_clip(clip_size(parts))
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._store.drop_clip)
            duration = await self._copied(file, parts)
            recording = await self._store.add_clip(parts[0].recording, parts[0].span.time, duration)
            on_failure.pop_all()
        log.info("saved a clip: %s, %.1f s", recording.name, recording.duration)
        return SavedClip((recording.name,), round(recording.duration, 3))

    async def _copied(self, file: FileIO, parts: Sequence[FilmPart]) -> float:
        """Return the duration of the clip, when it is on the disk. Raises `RecordError`."""
        copying, steps = _Copying(), -1
        copy = asyncio.ensure_future(Worker("clip", 0).run(partial(self._copy, file, parts, copying)))
        try:
            while not copy.done() and steps != copying.steps:
                steps = copying.steps
                await asyncio.wait([copy], timeout=self._patience)
        finally:
            copying.over = True
        if not copy.done():
            copy.add_done_callback(_forget)
            raise RecordError(_NO_ANSWER)
        return copy.result()

    def _copy(self, file: FileIO, parts: Sequence[FilmPart], copying: _Copying) -> float:
        """In the thread: copy the parts; return the duration of the clip. Raises `RecordError`."""
        with file:
            clip = ClipFile(file, parts, copying.step)
            for part in parts:
                with reading(self._store.path(part.recording)) as read_at:
                    clip.add(part, read_at)
            clip.end()
        return clip.duration


def _forget(copy: asyncio.Future[float]) -> None:
    """Take the error of a copy for which nobody waits any more."""
    if not copy.cancelled():
        copy.exception()
