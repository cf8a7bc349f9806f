"""How fast packets follow each other: an unpaced keyframe overruns Wi-Fi queues and freezes the picture."""

from __future__ import annotations

from collections import deque

from broadcaster.media.rtp import MAX_PACKET

BURST = 16
"""Packets of a picture that go at once: an ordinary picture of a 4 Mbit/s stream is not paced at all."""

TICK = 0.005
"""Seconds between two helpings of what did not go at once."""

HEADROOM = 4.0
"""The pace as a multiple of the stream's rate: a keyframe of ten pictures' size leaves within three."""

SLOWEST = 1_000_000
"""Bits a second that are paced at least, however low the stream's rate is."""

LEAVES_WITHIN = 0.15
"""Seconds in which even the largest picture leaves: one that we hold back ourselves must not make a viewer slow."""

_LONGEST_STEP = 4 * TICK
"""A late tick does not make up for all that it missed: the queue would get it as one burst."""

_WINDOW = 2.0
"""Seconds over which the stream's rate is measured: a keyframe interval."""


def packets_due(bits_per_second: float, elapsed: float) -> float:
    """How many packets of full size a pace allows after `elapsed` seconds."""
    return bits_per_second * min(elapsed, _LONGEST_STEP) / 8 / MAX_PACKET


class RateMeter:
    """The stream's rate in bits a second, over the last two seconds."""

    def __init__(self) -> None:
        self._sizes: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, size: int, now: float) -> None:
        """A picture of that many bytes."""
        self._sizes.append((now, size))
        self._total += size
        while self._sizes[0][0] < now - _WINDOW:
            self._total -= self._sizes.popleft()[1]

    @property
    def rate(self) -> float:
        """Bits a second; 0 until there are two pictures."""
        if len(self._sizes) < 2:
            return 0.0
        span = self._sizes[-1][0] - self._sizes[0][0]
        return self._total * 8 / max(span, 0.2)

    @property
    def pace(self) -> float:
        """Bits a second at which a healthy viewer's backlog is sent."""
        largest = max((size for _, size in self._sizes), default=0)
        return max(self.rate * HEADROOM, largest * 8 / LEAVES_WITHIN, SLOWEST)
