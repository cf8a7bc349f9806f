"""The interfaces between recorder, the disk, and those who control the recorder."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from broadcaster.media.mp4 import Tracks
from broadcaster.model.recording import Gap, Mark, RecorderStats, Recording, RecordingKind, SavedClip, StoreStats
from broadcaster.model.stream import AccessUnit, OpusFrame


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """About two seconds of the stream: pictures, and the audio of the same time.

    `end` is the capture time at which the next picture follows, or the last one ends. `begins_source`: what came before
    has no connection with it.
    """

    pictures: tuple[AccessUnit, ...]
    audio: tuple[OpusFrame, ...]
    end: float
    tracks: Tracks
    begins_source: bool = False

    @property
    def start(self) -> float:
        """The capture time of the first picture."""
        return self.pictures[0].captured

    @property
    def begins_with_keyframe(self) -> bool:
        """Whether a file can begin with this chunk."""
        return self.pictures[0].keyframe

    @property
    def size(self) -> int:
        """Bytes of pictures and audio."""
        return sum(len(unit.data) for unit in self.pictures) + sum(len(frame.data) for frame in self.audio)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A file to be written; `started` is the capture time of its first picture. `kept`: never deleted to make room."""

    started: float
    tracks: Tracks
    kept: bool = False
    kind: RecordingKind = RecordingKind.VIDEO


class RecordingStore(Protocol):
    """Writes files in a thread of its own; no method waits for the disk, unless it says so."""

    @property
    def problem(self) -> str:
        """Why the last attempt to write failed; empty again once one has succeeded."""

    def start(self) -> None:
        """Start the thread, which mends what a power cut has left."""

    async def close(self) -> None:
        """Finish all files that were ended, and stop the thread. Waits for a few seconds at most; idempotent."""

    def may_begin(self, now: float) -> bool:
        """Return whether to begin a file: not for a while after a failure, and while much waits for the disk."""

    def begin(self, segment: Segment) -> None:
        """Begin a file."""

    def write(self, segment: Segment, chunk: Chunk, *, live: bool = True) -> bool:
        """Append a chunk to a file that was begun; False if the file failed, or too much waits for the disk.

        Chunks that are not `live` come from memory, where they stay in any case, and do not count as waiting.
        """

    def end(self, segment: Segment) -> None:
        """End a file."""

    def saved(self, segments: Sequence[Segment]) -> Awaitable[SavedClip]:
        """Wait until these files, which were ended, are on the disk. Raises `RecordError` if they are not."""

    def note_gap(self, start: float, end: float) -> None:
        """Note in the index that what was captured between these times is lost."""

    async def mark(self, monotonic: float) -> float:
        """Mark a moment of the monotonic clock; return it in Unix seconds. Raises `RecordError`."""

    def stats(self) -> StoreStats:
        """Return the state of the folder."""


class RecordingLibrary(Protocol):
    """The recordings, as HTTP clients see them; only the coroutines wait for the disk."""

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """All recordings, oldest first."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What was lost because of the disk, oldest first."""

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All marks, oldest first."""

    async def remove_mark(self, at: float) -> None:
        """Remove the mark at this time in Unix seconds. Raises `RecordError` if there is none."""

    def stats(self) -> StoreStats:
        """Return the state of the folder."""

    def path(self, recording: Recording) -> Path:
        """Return the file of a recording."""

    async def delete(self, name: str) -> None:
        """Delete a recording. Raises `RecordError` if it is being written or cannot be deleted."""

    async def keep(self, name: str, kept: bool) -> Recording:
        """Set whether a recording is never deleted to make room, which changes its name. Raises `RecordError`."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Export:
    """A file that does not exist as such: `head`, and then these parts of others. `started` is in Unix seconds.

    `tag` is the same as long as the content is.
    """

    head: bytes
    parts: tuple[FilePart, ...]
    started: float
    duration: float
    tag: str


class RecordingReader(Protocol):
    """What is in the recordings. All methods wait for the disk in a thread, and raise `RecordError` and `BusyError`."""

    async def playlist(self, start: float, end: float, query: str) -> str:
        """Return an HLS playlist of what was captured between two times in Unix seconds.

        Its addresses are relative to that of the recordings; `query` is appended to each.
        """

    async def init_segment(self, recording: Recording) -> bytes:
        """Return what players need before the fragments of a recording."""

    async def segment(self, recording: Recording, offset: int, size: int, shift: int) -> tuple[bytes | FilePart, ...]:
        """Return the parts of a segment of a playlist: bytes of a recording, `shift` ticks of the video later."""

    async def export(self, start: float, end: float) -> Export:
        """Return one file with what was captured between two times."""

    async def keyframe(self, recording: Recording, at: float) -> bytes:
        """Return the keyframe that is the nearest to a time in seconds from the beginning: an access unit."""


class ClipSaver(Protocol):
    """Copies what was recorded."""

    async def save(self, start: float, end: float) -> SavedClip:
        """Save what was captured between two times in Unix seconds as a recording that is kept.

        Raises `RecordError` and `BusyError`.
        """


class RecorderControl(Protocol):
    """The recorder, as API, command line and panel control it."""

    def set_recording(self, on: bool) -> None:
        """Start or stop recording."""

    async def clip(self) -> SavedClip:
        """Keep the last seconds of the stream, and wait until they are on the disk. Raises `RecordError`."""

    async def mark(self) -> float:
        """Mark this moment; return it in Unix seconds. Raises `RecordError` if nothing is being recorded."""

    def stats(self) -> RecorderStats:
        """Return the status."""
