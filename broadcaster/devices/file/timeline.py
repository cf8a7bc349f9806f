"""The timeline that keeps video and audio of a looping file in sync. Pure: time is an argument."""

from __future__ import annotations

import threading
from typing import Literal

TOLERANCE = 0.5
"""Seconds by which playback may be late before the timeline is moved."""
START_DELAY = 0.1
"""Seconds from the first source joining to position 0, in which both sources get ready."""
AUDIO_TAIL = 0.25
"""Seconds of audio after the end of the video that are cut, so that the video loops without a pause."""
_MIN_LOOP = 0.02
"""Minimum duration of a loop in seconds."""

TrackKind = Literal["video", "audio"]


class Timeline:
    """Positions in seconds since playback began, increasing across loops: position p is due at `due(p)`.

    Playback begins when the first source enters and ends when the last one has left. The length of a loop is unknown
    until its end has been read: each source reports the end of its track, and the longer track ends the loop. All
    methods are thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._playing: set[TrackKind] = set()
        self._origin = 0.0
        self._begins: dict[int, float] = {}
        self._ends: dict[int, dict[TrackKind, float]] = {}

    def enter(self, kind: TrackKind, now: float) -> None:
        """Add a source; the first one starts the timeline."""
        with self._lock:
            if not self._playing:
                self._origin = now + START_DELAY
                self._begins, self._ends = {0: 0.0}, {}
            self._playing.add(kind)

    def leave(self, kind: TrackKind) -> None:
        """Remove a source; idempotent."""
        with self._lock:
            self._playing.discard(kind)

    def is_playing(self, kind: TrackKind) -> bool:
        """Whether the source of that kind is playing."""
        with self._lock:
            return kind in self._playing

    def due(self, position: float) -> float:
        """Return the monotonic time at which a position is due."""
        return self._origin + position

    def position(self, now: float) -> float:
        """Return the position that is due now."""
        return now - self._origin

    def lateness(self, position: float, now: float, tolerance: float = TOLERANCE) -> float:
        """Return by how many seconds `position` is overdue; negative while it is not due yet.

        If it is more than `tolerance` (the machine was suspended, or cannot keep up), move the timeline, for video and
        audio alike, instead of rushing through what was missed.
        """
        with self._lock:
            late = now - self.due(position)
            if late > tolerance:
                self._origin += late
                return 0.0
            return late

    def join(self, now: float) -> tuple[int, float, float]:
        """Return the current loop, the position where it began, and the position from which to play now."""
        with self._lock:
            position = max(0.0, self.position(now))
            loop = max((loop for loop, begin in self._begins.items() if begin <= position), default=0)
            begin = self._begins.get(loop, 0.0)
            # Shortly after the start, begin with the first picture: it is often the only keyframe for seconds.
            return loop, begin, begin if position - begin < TOLERANCE else position

    def set_end(self, kind: TrackKind, loop: int, end: float) -> None:
        """Record that a track has been read to its end in a loop, which is at position `end`."""
        with self._lock:
            self._ends.setdefault(loop, {})[kind] = end

    def loop_end(self, loop: int) -> float | None:
        """Return the position where a loop ends and the next begins; None while a source has not reported its end."""
        with self._lock:
            if loop + 1 not in self._begins:
                ends = self._ends.get(loop, {})
                if not ends or self._playing - ends.keys():
                    return None
                self._begins[loop + 1] = max(_longer(ends), self._begins.get(loop, 0.0) + _MIN_LOOP)
                for old in [old for old in self._begins if old < loop - 1]:
                    del self._begins[old]
                    self._ends.pop(old, None)
            return self._begins[loop + 1]


def _longer(ends: dict[TrackKind, float]) -> float:
    video, audio = ends.get("video"), ends.get("audio")
    if video is None or audio is None:
        return max(ends.values())
    return audio if audio > video + AUDIO_TAIL else video
