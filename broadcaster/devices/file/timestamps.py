"""Times in a media file: in seconds, counted on where the file has none, and continuous where its clock jumps. Pure."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Protocol

JUMP = 10.0
"""Seconds forward that count as a jump of the clock, not as a pause, in formats whose clock may jump (as in ffmpeg)."""
BACKWARD = 0.1
"""Seconds backward that count as a reset of the clock, in any format (as in ffmpeg)."""


class Timed(Protocol):
    """A packet or a frame of libav."""

    @property
    def pts(self) -> int | None:
        """When it is shown, in units of `time_base`."""

    @property
    def dts(self) -> int | None:
        """When it is decoded."""

    @property
    def duration(self) -> int | None:
        """How long it lasts; 0 or None if unknown."""

    @property
    def time_base(self) -> Fraction | None:
        """Seconds of one unit."""


def seconds(count: int | None, time_base: Fraction | None) -> float | None:
    """A count of libav's in seconds; None where the file does not say."""
    return None if count is None or time_base is None else float(count * time_base)


class Stamps:
    """Times of packets or frames in the file's seconds; counted on where the file has none (raw H.264)."""

    def __init__(self, step: float) -> None:
        """`step` is the length in seconds of an item that does not say its own."""
        self._step = step
        self.end = 0.0

    def of(self, item: Timed) -> float:
        """The time of `item`; afterwards `end` is where it ends."""
        time = seconds(self._stamp(item), item.time_base)
        time = self.end if time is None else time
        self.end = time + (seconds(item.duration, item.time_base) or self._step)
        return time

    def _stamp(self, item: Timed) -> int | None:
        return item.pts if item.pts is not None else item.dts


class FrameStamps(Stamps):
    """Times of decoded frames: their presentation times, or their decoding times if fewer of those go backward.

    The same choice as libavcodec's: in AVI, libav derives wrong presentation times for packed B-frames (Xvid).
    """

    def __init__(self, step: float) -> None:
        super().__init__(step)
        self._last_pts = self._last_dts = -math.inf
        self._faulty_pts = self._faulty_dts = 0

    def _stamp(self, item: Timed) -> int | None:
        pts, dts = item.pts, item.dts
        backward = pts is not None and pts <= self._last_pts
        if dts is not None:
            self._faulty_dts += dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._faulty_pts += backward
            self._last_pts = pts
        is_usable = self._faulty_pts <= self._faulty_dts or (dts is None and not backward)
        return pts if pts is not None and is_usable else dts


class ClockCorrection:
    """Makes decoding times continuous across jumps and resets of a file's clock, for all its streams alike.

    The streams do not jump in the same packet, so each may still follow the clock before the last jump.
    """

    def __init__(self, *, may_jump: bool) -> None:
        """`may_jump`: whether the format is one whose clock may jump forward, such as a transport stream."""
        self._may_jump = may_jump
        self._shift = 0.0
        self._earlier = 0.0
        self._expected: dict[int, float] = {}
        self.jumped = False

    def shift(self, stream: int, time: float | None, duration: float) -> float:
        """Seconds to add to the times of the next packet of that stream, which is decoded at `time`."""
        if time is None:
            return self._shift
        shift = self._fitting(stream, time)
        self._expected[stream] = time + shift + duration
        return shift

    def _fitting(self, stream: int, time: float) -> float:
        expected = self._expected.get(stream)
        if expected is None:  # its first packet goes roughly with those of the other streams
            expected = max(self._expected.values(), default=time + self._shift)
            if abs(time + self._shift - expected) <= JUMP:
                return self._shift
        for shift in (self._shift, self._earlier):
            if -BACKWARD <= time + shift - expected <= JUMP:
                return shift
        if time + self._shift >= expected - BACKWARD and not self._may_jump:
            return self._shift
        self._earlier, self._shift = self._shift, expected - time
        self.jumped = True
        return self._shift
