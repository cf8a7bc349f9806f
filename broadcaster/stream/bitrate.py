"""The encoder's bit rate follows the viewers that keep up: quickly down, slowly up, never one outlier."""

from __future__ import annotations

import math
from collections.abc import Sequence

INTERVAL = 1.0
"""Seconds between two steps: browsers send REMB about as often while it rises."""

FALL_INTERVAL = 0.25
"""Seconds between two looks whether it falls: then browsers send it at once, and every moment at the old rate makes a
queue at the narrow place longer."""

_ENOUGH = 0.95
"""Share of the rate that a viewer must be able to carry: REMB begins close to what is sent, and wavers."""

_COLLAPSED = 0.7
"""Share of the rate below which REMB does not waver: there is no time to lose."""

_MARGIN = 0.9
"""Share of what a too narrow network carries that is used: sound and retransmissions want some too."""

_OUTLIERS = 0.1
"""Share of the viewers whose wish for less is not heard; they are skipped instead."""

_EASE = 0.8
"""Share of the rate that a strained machine goes down to at each look, before the margin: half within three."""

_UP = 1.08
"""Growth a second at most, as REMB's own: 40 s from a fifth of the rate back to nearly all of it."""

_STEP = 0.05
"""Changes smaller than this share are not worth a change of the encoder."""


class RateRule:
    """The wanted bit rate between `lowest` and `highest`, in bits a second."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.rate = highest
        self._lowest = min(lowest, highest)
        self._highest = highest

    def step(self, carried: Sequence[int], *, overloaded: bool = False) -> int | None:
        """Once every `INTERVAL`: `carried` is what each viewer that keeps up can carry, ascending.

        Gives the new rate when it is to be changed. Nobody there, or nobody that says: full rate, slowly. When this
        machine is `overloaded`, less than now whatever the viewers carry.
        """
        limit = self._limit(carried)
        if overloaded:
            limit = min(limit, round(self.rate * _EASE))
        slowly = max(self.rate, min(limit, self.rate * _UP))
        return self._change(limit * _MARGIN if limit < self.rate * _ENOUGH else slowly)

    def fall(self, carried: Sequence[int]) -> int | None:
        """In between: go down at once where the network has collapsed, and else stay."""
        limit = self._limit(carried)
        return self._change(limit * _MARGIN) if limit < self.rate * _COLLAPSED else None

    def _limit(self, carried: Sequence[int]) -> int:
        return carried[_percentile(len(carried))] if carried else self._highest

    def _change(self, wanted: float) -> int | None:
        rate = round(max(self._lowest, min(self._highest, wanted)))
        is_small = abs(rate - self.rate) < _STEP * self.rate
        if rate == self.rate or (is_small and rate not in (self._lowest, self._highest)):
            return None
        self.rate = rate
        return rate


def _percentile(count: int) -> int:
    """The place of the viewer that decides: above the outliers, and of three or more never the lowest."""
    return 0 if count < 3 else max(1, math.floor(count * _OUTLIERS))
