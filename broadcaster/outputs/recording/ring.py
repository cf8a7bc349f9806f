"""The last seconds of the stream, in memory: a recording or a clip begins before it was asked for. Pure."""

from __future__ import annotations

from collections import deque

from broadcaster.ports.recording import Chunk

MAX_BYTES = 64 << 20
"""Bytes in memory, whatever the bit rate is."""


class Ring:
    """Chunks of at least the last `duration` seconds, as far as `max_bytes` allow; begins with a keyframe."""

    def __init__(self, duration: float, max_bytes: int = MAX_BYTES) -> None:
        self._duration = duration
        self._max_bytes = max_bytes
        self._chunks: deque[Chunk] = deque()
        self._size = 0

    @property
    def duration(self) -> float:
        """The seconds in memory."""
        return self._chunks[-1].end - self._chunks[0].start if self._chunks else 0.0

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk, and drop what is too old."""
        if not self._chunks and not chunk.begins_with_keyframe:
            return
        self._chunks.append(chunk)
        self._size += chunk.size
        while self._chunks and (self._size > self._max_bytes or self._has_older_than(chunk.end - self._duration)):
            self._drop_first()

    def since(self, captured: float) -> list[Chunk]:
        """Return the chunks from this time on, beginning with the last keyframe before it, or else the first one."""
        chunks = list(self._chunks)
        first = next((index for index, chunk in enumerate(chunks) if chunk.end > captured), len(chunks))
        while 0 < first < len(chunks) and not chunks[first].begins_with_keyframe:
            first -= 1
        return chunks[first:]

    def _has_older_than(self, captured: float) -> bool:
        """Return whether the first chunks, up to the next keyframe, are older."""
        following = next((chunk for chunk in list(self._chunks)[1:] if chunk.begins_with_keyframe), None)
        return following is not None and following.start <= captured

    def _drop_first(self) -> None:
        """Drop the first chunks, up to the next keyframe."""
        self._size -= self._chunks.popleft().size
        while self._chunks and not self._chunks[0].begins_with_keyframe:
            self._size -= self._chunks.popleft().size
