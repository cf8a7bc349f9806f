"""Decides into which file each chunk goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from broadcaster.ports.recording import Chunk, Segment

MAX_FILE = 3_900_000_000
"""Bytes after which a file ends at the next keyframe: FAT32 has files of up to 4 GiB."""

_TOLERANCE = 1.0
"""Seconds by which a file may be shorter, so that a keyframe that comes a little early does not make it longer."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a chunk goes: `ended` is the file that ends before it, `segment` its own, None if it is lost.

    `is_new`: the file begins with it.
    """

    ended: Segment | None
    segment: Segment | None
    is_new: bool


class Segmenter:
    """Begins a file with the first chunk, and another one when it is long enough or a chunk does not fit in it."""

    def __init__(self, duration: float = float("inf"), *, kept: bool = False) -> None:
        """`duration` is that of a file in seconds; `kept`: files are never deleted to make room."""
        self._duration = duration
        self._kept = kept
        self.segment: Segment | None = None
        self._size = 0

    def place(self, chunk: Chunk, *, audio: bool) -> Placement:
        """Return the file for this chunk; `audio`: the stream is supposed to have audio."""
        audio = audio or bool(chunk.audio)
        current = self.segment
        if current is not None and not self._ends(current, chunk, audio):
            self._size += chunk.size
            return Placement(None, current, is_new=False)
        self.segment = None
        if chunk.begins_with_keyframe:
            self._size = chunk.size
            self.segment = Segment(chunk.start, replace(chunk.tracks, audio=audio), self._kept)
        return Placement(current, self.segment, is_new=self.segment is not None)

    def end(self) -> Segment | None:
        """Return the file that ends now, if there is one."""
        ended, self.segment = self.segment, None
        return ended

    def _ends(self, segment: Segment, chunk: Chunk, audio: bool) -> bool:
        if chunk.begins_source or replace(chunk.tracks, audio=segment.tracks.audio) != segment.tracks:
            return True
        if not chunk.begins_with_keyframe:
            return False
        appeared = audio and not segment.tracks.audio
        return appeared or self._size > MAX_FILE or chunk.start - segment.started >= self._duration - _TOLERANCE
