"""How fast a slow viewer is tried: what its network carries is found out by sending.

REMB cannot tell. It follows what arrives, so it falls to the rate of the sound while pictures are skipped, and
hardly climbs afterwards. So the pictures behind a trial's keyframe go faster and faster until much is lost.
"""

from __future__ import annotations

import math

SLOWEST = 150_000
"""Bits a second at which pictures are tried at least."""

FIRST_SHARE = 1 / 8
"""Share of the stream's rate at which the keyframe goes: slowly, so that it arrives where nothing else does."""

DOUBLING = 0.2
"""Seconds after which a trial goes twice as fast: in 0.6 s from an eighth to twice the stream's rate."""

MUCH_LOSS = 0.1
"""Share of packets lost that means a narrow network; less is a bad radio, which RTX mends."""

_FEW = 2
"""Packets that may be lost besides: a share of a few says nothing."""


class BandwidthProbe:
    """A keyframe and what comes after it, in a stream of `rate`; bits a second, time is an argument."""

    def __init__(self, rate: float) -> None:
        self.packets = 0
        self._pace = max(SLOWEST, rate * FIRST_SHARE)
        self._doubles_at = math.inf
        self._lost_before = math.inf

    def keyframe_left(self, lost: int, now: float) -> None:
        """From now on it goes faster and faster.

        What was `lost` in all by now is no fault of the trial: what a link lost at the end of the last one shows
        only when packets come again.
        """
        self._doubles_at, self._lost_before = now, lost

    def at(self, now: float) -> float:
        """The pace now."""
        if now >= self._doubles_at:
            self._pace *= 2
            self._doubles_at = now + DOUBLING
        return self._pace

    def has_failed(self, lost: int) -> bool:
        """Whether too much was lost, of which `lost` says how much in all."""
        return lost - self._lost_before > _FEW + MUCH_LOSS * self.packets
