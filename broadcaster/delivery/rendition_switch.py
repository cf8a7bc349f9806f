"""The switch between two renditions: at a keyframe of the target, with no picture missing and none sent twice.

Both renditions have the same capture times, so the same RTP timestamps, and a browser must not get two pictures of one
timestamp. Which rendition of a picture comes first depends on the encoders. So while a switch is pending, a picture is
held until its counterpart shows whether it is the keyframe to switch at.
"""

from __future__ import annotations

from broadcaster.media.rtp import RtpFrame
from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.model.stream import Quality

_HALF = 1 << 31
"""Timestamps count modulo 2^32 (RFC 3550 §5.1)."""

LONGEST_APART = 1.0
"""Seconds that one encoder may be behind the other. An older picture shows that the source's clock was set back."""


class RenditionSwitch:
    """Selects one viewer's pictures from those of both renditions."""

    def __init__(self) -> None:
        self.current = Quality.FULL
        self.target = Quality.FULL
        self._held: RtpFrame | None = None
        self._last: int | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the target has not been reached yet."""
        return self.target is not self.current

    def jump(self, quality: Quality) -> None:
        """Go on with the next keyframe of `quality`; nothing more of the current rendition is selected."""
        self.current = self.target = quality
        self._held = None

    def select(self, frame: RtpFrame, quality: Quality) -> list[RtpFrame]:
        """Return the pictures to send now, in order, when the picture `frame` of `quality` has come."""
        if self.target is not self.current:
            if quality is self.target:
                return self._select_target(frame)
            held, self._held = self._held, frame
            return self._pass(held)
        if quality is not self.current:
            return []
        if self._held is None:
            return self._pass(frame)
        held, self._held = self._held, None  # of a switch that was taken back
        return [*self._pass(held), *self._pass(frame)]

    def _select_target(self, frame: RtpFrame) -> list[RtpFrame]:
        """The target's picture has come: switch if possible, or let its counterpart go."""
        held = self._held
        if held is not None and not _is_newer(held.timestamp, frame.timestamp):
            self._held = None
            if not frame.keyframe or held.timestamp != frame.timestamp:
                selected = self._pass(held)
                return selected + self._switch(frame) if frame.keyframe else selected
        return self._switch(frame) if frame.keyframe else []

    def _switch(self, frame: RtpFrame) -> list[RtpFrame]:
        if not self._is_next(frame):
            return []
        self.current = self.target
        self._held = None
        return [frame]

    def _pass(self, frame: RtpFrame | None) -> list[RtpFrame]:
        return [frame] if frame is not None and self._is_next(frame) else []

    def _is_next(self, frame: RtpFrame) -> bool:
        """Return whether the picture is not one that was selected before in the other rendition, and remember it."""
        if self._last is not None and (self._last - frame.timestamp & 0xFFFFFFFF) <= LONGEST_APART * VIDEO_RATE:
            return False
        self._last = frame.timestamp
        return True


def _is_newer(timestamp: int, other: int) -> bool:
    return 0 < (timestamp - other & 0xFFFFFFFF) < _HALF
