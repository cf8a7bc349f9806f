"""Collects pictures and audio into chunks, each of which is written at once. Pure; times are capture times."""

from __future__ import annotations

from collections import deque

from broadcaster.media.mp4 import Tracks
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports.recording import Chunk

MIN_DURATION = 1.0
"""Seconds of a chunk before a keyframe ends it: new viewers may force keyframes more often."""

MAX_DURATION = 2.0
"""Seconds after which any picture ends a chunk: a power cut costs this, and what is being flushed."""

AUDIO_WAIT = 0.3
"""Seconds for which a complete chunk waits for its audio, which arrives later than the video."""

_PICTURE = 1 / 30
"""Duration in seconds of a picture without another one to measure it by."""

_MAX_LAST_PICTURE = 1.0
"""Seconds for which the last picture before a pause stays on."""

_MAX_AUDIO = 1000
"""Frames that are kept while no picture comes: 20 s."""


class ChunkCollector:
    """Makes chunks of pictures and audio, beginning with a keyframe."""

    def __init__(self) -> None:
        self._pictures: list[AccessUnit] = []
        self._tracks: Tracks | None = None
        self._complete: Chunk | None = None
        self._audio: deque[OpusFrame] = deque(maxlen=_MAX_AUDIO)
        self._begins_source = True

    def picture(self, unit: AccessUnit, tracks: Tracks | None) -> Chunk | None:
        """Take the next picture; return a chunk that is complete now.

        `tracks` are those of the last keyframe, None if it cannot be recorded.
        """
        taken = None
        if self._pictures and self._ends(unit, tracks):
            taken = self._take_complete()
            self._complete = self._chunk(unit.captured)
            self._pictures = []
            self._begins_source = tracks is None
            follows = tracks is not None
        else:
            follows = bool(self._pictures) or (unit.keyframe and tracks is not None)
        if follows:
            self._pictures.append(unit)
            self._tracks = tracks
        return taken or self._poll(unit.captured)

    def audio(self, frame: OpusFrame) -> Chunk | None:
        """Take the next Opus frame; return a chunk that is complete now."""
        self._audio.append(frame)
        return self._poll(frame.captured)

    def flush(self) -> list[Chunk]:
        """Return everything, because the source ends: what follows has no connection with it."""
        chunks = [chunk for chunk in (self._take_complete(), self._unfinished()) if chunk is not None]
        self._pictures.clear()
        self._audio.clear()
        self._begins_source = True
        return chunks

    def so_far(self) -> list[Chunk]:
        """Return what no chunk has been returned for yet, without taking it."""
        complete = self._with_audio(self._complete) if self._complete is not None else None
        unfinished = self._unfinished()
        return [chunk for chunk in (complete, unfinished) if chunk is not None]

    def _ends(self, unit: AccessUnit, tracks: Tracks | None) -> bool:
        duration = unit.captured - self._pictures[0].captured
        if unit.keyframe and tracks != self._tracks:
            return True
        return duration >= MAX_DURATION or (unit.keyframe and duration >= MIN_DURATION)

    def _poll(self, captured: float) -> Chunk | None:
        """Return the complete chunk, unless audio of its time may still come."""
        complete = self._complete
        if complete is None:
            return None
        last = self._audio[-1].captured if self._audio else float("-inf")
        is_behind = complete.start <= last < complete.end
        return None if is_behind and captured < complete.end + AUDIO_WAIT else self._take_complete()

    def _take_complete(self) -> Chunk | None:
        complete, self._complete = self._complete, None
        if complete is None:
            return None
        chunk = self._with_audio(complete)
        while self._audio and self._audio[0].captured < complete.end:
            self._audio.popleft()
        return chunk

    def _unfinished(self) -> Chunk | None:
        if not self._pictures:
            return None
        chunk = self._chunk(_end_of(self._pictures))
        return self._with_audio(chunk, after=None if self._complete is None else self._complete.end)

    def _chunk(self, end: float) -> Chunk:
        assert self._tracks is not None
        return Chunk(tuple(self._pictures), (), end, self._tracks, self._begins_source)

    def _with_audio(self, chunk: Chunk, after: float | None = None) -> Chunk:
        """Return the chunk with the audio up to its end: all that has come, or what was captured `after` a time."""
        start = chunk.start if chunk.begins_source else float("-inf") if after is None else after
        audio = tuple(frame for frame in self._audio if start <= frame.captured < chunk.end)
        return Chunk(chunk.pictures, audio, chunk.end, chunk.tracks, chunk.begins_source)


def _end_of(pictures: list[AccessUnit]) -> float:
    """Return when the last picture ends: after as long as the one before."""
    last = pictures[-1].captured
    duration = last - pictures[-2].captured if len(pictures) > 1 else _PICTURE
    return last + min(max(duration, 0.001), _MAX_LAST_PICTURE)
