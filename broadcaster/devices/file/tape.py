"""A sound track laid out sample by sample: gaps filled with silence, overlaps cut. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.devices.opus import FRAME_SAMPLES, SAMPLE_BYTES

STEREO_BYTES = 2 * SAMPLE_BYTES
"""Bytes of one sample of both channels."""
TOLERANCE = 240
"""Samples (5 ms) that a piece may lie off before it is moved: files round their times to milliseconds."""


class Tape:
    """Takes pieces of 16-bit stereo sound with their place and gives frames of 20 ms without a gap.

    Places are counted in samples at 48 kHz. The frames follow each other from `start` on, whatever the
    pieces do; each comes with the place of its first sample.
    """

    def __init__(self, start: int) -> None:
        self._end = start
        self._pending = bytearray()

    @property
    def end(self) -> int:
        """The place after the last sample that has been laid down."""
        return self._end

    def lay(self, place: int, piece: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
        """Lay down `piece` at `place`, but nothing from `limit` on; yields the frames that are now complete."""
        if place > self._end + TOLERANCE:
            yield from self.silence(min(place, limit))
        if place < self._end - TOLERANCE:
            piece = piece[(self._end - place) * STEREO_BYTES :]
        yield from self._append(piece[: max(0, limit - self._end) * STEREO_BYTES])

    def silence(self, until: int) -> Iterator[tuple[int, bytes]]:
        """Fill with silence up to place `until`; yields the frames that are now complete."""
        while self._end < until:
            yield from self._append(bytes(min(FRAME_SAMPLES, until - self._end) * STEREO_BYTES))

    def _append(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        size = FRAME_SAMPLES * STEREO_BYTES
        self._pending += piece
        self._end += len(piece) // STEREO_BYTES
        while len(self._pending) >= size:
            frame = bytes(self._pending[:size])
            place = self._end - len(self._pending) // STEREO_BYTES
            del self._pending[:size]
            yield place, frame
