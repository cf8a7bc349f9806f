"""Reads recordings for those who watch them: playlists, parts of several files as one, and keyframes for thumbnails."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from broadcaster.errors import FormatChange, RecordError
from broadcaster.media.mp4 import Tracks
from broadcaster.media.mp4_fragments import first_picture
from broadcaster.media.mp4_join import Join, is_same_format
from broadcaster.media.mp4_moved import moved_fragments
from broadcaster.media.mp4_reader import access_unit
from broadcaster.media.mp4_samples import read_samples
from broadcaster.model.recording import Recording
from broadcaster.outputs.recording.film import FilmPart, film_parts, pause_between
from broadcaster.outputs.recording.playlist import playlist
from broadcaster.ports.recording import Export, FilePart, RecordingLibrary
from broadcaster.storage.recordings.tables import Tables, reading
from broadcaster.worker import Worker

_MAX_EXPORTS = 4
"""Exports that are kept in memory: players ask for one several times, for one range of bytes after the other."""
_MAX_KEPT_EXPORT = 8 << 20
"""Bytes of the index of an export; that of six hours has 7 MB."""
_MAX_WAITING = 32


class RecordingReader:
    """`ports.recording.RecordingReader`: reads in a thread of its own."""

    def __init__(self, library: RecordingLibrary) -> None:
        self._library = library
        self._worker = Worker("recordings reader", _MAX_WAITING)
        self._tables = Tables(library.path)
        self._exports: OrderedDict[str, Export] = OrderedDict()

    async def playlist(self, start: float, end: float, query: str) -> str:
        """Return an HLS playlist of a time in Unix seconds; its addresses are relative to that of the recordings."""
        return await self._worker.run(lambda: playlist(self.parts(start, end), query))

    async def init_segment(self, recording: Recording) -> bytes:
        """Return what players need before the fragments of a recording."""
        return await self._worker.run(partial(self._init_segment, recording))

    async def segment(self, recording: Recording, offset: int, size: int, shift: int) -> tuple[bytes | FilePart, ...]:
        """Return the parts of a segment of a playlist: bytes of a recording, `shift` ticks of the video later."""
        return await self._worker.run(partial(self._segment, recording, offset, size, shift))

    async def export(self, start: float, end: float) -> Export:
        """Return one file with what was captured between two times."""
        return await self._worker.run(partial(self._export, start, end))

    async def keyframe(self, recording: Recording, at: float) -> bytes:
        """Return the keyframe that is the nearest to a time in seconds from the beginning: an access unit."""
        return await self._worker.run(partial(self._keyframe, recording, at))

    async def parts_of_one_format(self, start: float, end: float) -> list[FilmPart]:
        """Return the parts of files with this time. Raises `FormatChange` if they cannot become one file."""
        return await self._worker.run(partial(self._parts_of_one_format, start, end))

    def parts(self, start: float, end: float) -> list[FilmPart]:
        """In the thread: return the parts of files with this time. Raises `RecordError` if there are none."""
        found = film_parts(self._tables.between(self._library.recordings, start, end), start, end)
        if not found:
            raise RecordError("nothing was recorded at that time")
        return found

    def _parts_of_one_format(self, start: float, end: float) -> list[FilmPart]:
        parts = self.parts(start, end)
        for part in parts:
            check_format(parts[0].table.tracks, part)
        return parts

    def _init_segment(self, recording: Recording) -> bytes:
        return self._tables.of(recording).init_segment()

    def _segment(self, recording: Recording, offset: int, size: int, shift: int) -> tuple[bytes | FilePart, ...]:
        table, path = self._tables.of(recording), self._library.path(recording)
        if not table.begins_at(offset) or offset + size > table.offsets[-1]:
            raise RecordError("there is no such part")
        with reading(path) as read_at:
            fragments = tuple(moved_fragments(read_at, offset, offset + size, shift))
        return tuple(part for one in fragments for part in (one.moof, FilePart(path, one.offset, one.size)))

    def _export(self, start: float, end: float) -> Export:
        parts = self.parts(start, end)
        tag = _tag(parts)
        found = self._exports.get(tag)
        if found is None:
            found = self._join(parts, tag)
            if len(found.head) <= _MAX_KEPT_EXPORT:
                self._exports[tag] = found
        if tag in self._exports:
            self._exports.move_to_end(tag)
        if len(self._exports) > _MAX_EXPORTS:
            self._exports.popitem(last=False)
        return found

    def _join(self, parts: Sequence[FilmPart], tag: str) -> Export:
        join = Join()
        before: FilmPart | None = None
        files = []
        for part in parts:
            check_format(parts[0].table.tracks, part)
            path = self._library.path(part.recording)
            with reading(path) as read_at:
                join.add(read_samples(read_at), part.span, 0.0 if before is None else pause_between(before, part))
            files.append(FilePart(path, part.span.offset, part.span.size))
            before = part
        return Export(join.head(), tuple(files), parts[0].start, join.duration, tag)

    def _keyframe(self, recording: Recording, at: float) -> bytes:
        table = self._tables.of(recording)
        place = table.nearest(at)
        if place is None:
            raise RecordError(f"{recording.name} has no picture")
        with reading(self._library.path(recording)) as read_at:
            return access_unit(first_picture(read_at, table.offsets[place]), table.tracks)


def check_format(tracks: Tracks, part: FilmPart) -> None:
    """Raise `FormatChange` if a part cannot follow in the same file, because the source or its settings changed."""
    if not is_same_format(tracks, part.table.tracks):
        moment = datetime.fromtimestamp(part.start).astimezone()
        raise FormatChange(
            f"the video's format changes at {moment:%Y-%m-%d %H:%M:%S %Z}; take what is before and after it separately"
        )


def _tag(parts: Sequence[FilmPart]) -> str:
    """Return a short text that is the same for the same content."""
    content = [(part.recording.name, part.span.offset, part.span.size) for part in parts]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]
