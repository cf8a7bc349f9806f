"""Assembly of 20 ms audio frames from decoded chunks: gaps are filled with silence, overlaps are cut. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.devices.opus import FRAME_SAMPLES, SAMPLE_BYTES

STEREO_BYTES = 2 * SAMPLE_BYTES
"""Bytes per sample of both channels."""
TOLERANCE = 240
"""Samples (5 ms) by which a chunk may be off before it is moved: containers round timestamps to milliseconds."""


class FrameAssembler:
    """Takes chunks of 16-bit stereo with their positions; returns contiguous 20 ms frames with theirs.

    Positions are in samples at 48 kHz. The first frame is at `start`, whatever the positions of the chunks.
    """

    def __init__(self, start: int) -> None:
        self._end = start
        self._pending = bytearray()

    @property
    def end(self) -> int:
        """The position after the last sample added."""
        return self._end

    def add(self, position: int, chunk: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
        """Add `chunk` at `position`, without what lies at or after `limit`; yield the frames completed by it."""
        if position > self._end + TOLERANCE:
            yield from self.add_silence(min(position, limit))
        if position < self._end - TOLERANCE:
            chunk = chunk[(self._end - position) * STEREO_BYTES :]
        yield from self._append(chunk[: max(0, limit - self._end) * STEREO_BYTES])

    def add_silence(self, until: int) -> Iterator[tuple[int, bytes]]:
        """Add silence up to position `until`; yield the frames completed by it."""
        while self._end < until:
            yield from self._append(bytes(min(FRAME_SAMPLES, until - self._end) * STEREO_BYTES))

    def _append(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        size = FRAME_SAMPLES * STEREO_BYTES
        self._pending += chunk
        self._end += len(chunk) // STEREO_BYTES
        while len(self._pending) >= size:
            frame = bytes(self._pending[:size])
            position = self._end - len(self._pending) // STEREO_BYTES
            del self._pending[:size]
            yield position, frame
