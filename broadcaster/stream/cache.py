"""The pictures since the last keyframe, for newcomers."""

from __future__ import annotations

from broadcaster.media.rtp import RtpFrame

FRESH = 0.15
"""Seconds for which a newcomer is served from the cache although a keyframe could be forced.

Catching up with older pictures at the usual pace takes longer than waiting for a keyframe of its own.
"""

LONGEST = 2.0
"""Seconds of pictures kept for sources that cannot force keyframes."""

LARGEST = 2 * 1024 * 1024
"""Bytes of payload kept."""


class PictureCache:
    """Holds a keyframe and all pictures after it, as long as they stay within the limits."""

    def __init__(self) -> None:
        self.frames: list[RtpFrame] = []
        self._size = 0
        self._started = 0.0

    def add(self, frame: RtpFrame, now: float) -> None:
        """Take a picture in order; a keyframe starts anew, and a run that outgrows the limits is given up."""
        if frame.keyframe:
            self.clear()
            self._started = now
        elif not self.frames:
            return
        self.frames.append(frame)
        self._size += frame.size
        if self._size > LARGEST or now - self._started > LONGEST:
            self.clear()

    def clear(self) -> None:
        """Forget all: the next picture worth keeping is a keyframe."""
        self.frames.clear()
        self._size = 0

    def is_fresh(self, now: float) -> bool:
        """Whether the keyframe is so young that forcing another would be waste."""
        return bool(self.frames) and now - self._started <= FRESH
