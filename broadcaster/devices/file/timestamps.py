"""Timestamps of a media file: in seconds, extrapolated where missing, continuous across clock jumps. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

JUMP = 10.0
"""Seconds forward that count as a clock jump, not as a pause, in formats whose clock may jump (as in ffmpeg)."""
BACKWARD = 0.1
"""Seconds backward that count as a clock reset, in any format (as in ffmpeg)."""


class Timed(Protocol):
    """A packet or a frame of libav."""

    @property
    def pts(self) -> int | None:
        """The presentation time in units of `time_base`."""

    @property
    def dts(self) -> int | None:
        """The decoding time."""

    @property
    def duration(self) -> int | None:
        """The duration; 0 or None if unknown."""

    @property
    def time_base(self) -> Fraction | None:
        """The unit in seconds."""


def to_seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    """Return a timestamp of libav in seconds; None if the file does not have it."""
    return None if ticks is None or time_base is None else float(ticks * time_base)


class TimestampReader:
    """Presentation times in the file's seconds, extrapolated for items without one (raw H.264)."""

    def __init__(self, default_duration: float) -> None:
        """`default_duration` in seconds is for items without a duration of their own."""
        self._default_duration = default_duration
        self.end = 0.0

    def read(self, item: Timed) -> float:
        """Return the time of `item`, and set `end` to where it ends."""
        timestamp = item.pts if item.pts is not None else item.dts
        time = to_seconds(timestamp, item.time_base)
        time = self.end if time is None else time
        self.end = time + (to_seconds(item.duration, item.time_base) or self._default_duration)
        return time


class ClockCorrection:
    """Makes decoding times continuous across jumps and resets of a file's clock, by the same shift for all streams.

    The streams do not jump in the same packet, so some may still follow the clock from before the last jump.
    """

    def __init__(self, *, may_jump: bool) -> None:
        """`may_jump`: whether the clock of this format may jump forward, as in a transport stream."""
        self._may_jump = may_jump
        self._shift = 0.0
        self._previous_shift = 0.0
        self._expected: dict[int, float] = {}
        self.jumped = False

    def shift(self, stream: int, time: float | None, duration: float) -> float:
        """Return the seconds to add to the times of the stream's next packet, whose decoding time is `time`."""
        if time is None:
            return self._shift
        shift = self._choose_shift(stream, time)
        self._expected[stream] = time + shift + duration
        return shift

    def _choose_shift(self, stream: int, time: float) -> float:
        expected = self._expected.get(stream)
        if expected is None:  # the stream's first packet is at roughly the same time as those of the other streams
            expected = max(self._expected.values(), default=time + self._shift)
            if abs(time + self._shift - expected) <= JUMP:
                return self._shift
        for shift in (self._shift, self._previous_shift):
            if -BACKWARD <= time + shift - expected <= JUMP:
                return shift
        if time + self._shift >= expected - BACKWARD and not self._may_jump:
            return self._shift
        self._previous_shift, self._shift = self._shift, expected - time
        self.jumped = True
        return self._shift
