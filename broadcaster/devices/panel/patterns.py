"""PURE. What the tally lamp says: for each state of the stream a pattern in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from broadcaster.model.stream import StreamState

_GRAIN = 1e-4
"""Seconds; so little of a span is none: rounding must not make a timer due at the moment at which it is set."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Dark and lit spans in turn, in seconds, beginning dark, from the beginning again after the last."""

    spans: tuple[float, ...]

    def at(self, elapsed: float) -> tuple[bool, float]:
        """Whether the lamp is lit `elapsed` seconds (0 or more) after its beginning, and for how much longer."""
        total = math.fsum(self.spans)
        rest = elapsed % total if total < math.inf else elapsed
        for index, span in enumerate(self.spans):
            if span - rest > _GRAIN:
                return index % 2 == 1, span - rest
            rest -= span
        return self.at(0.0)


_LIT = Pattern((0.0, math.inf))
_READY = Pattern((1.9, 0.1))
_STARTING = Pattern((0.0, 0.5, 0.5))
_STOPPING = Pattern((0.5, 0.5))
_FAILED = Pattern((0.125, 0.125))
_MUTED = Pattern((0.1, 1.9))
ACKNOWLEDGED = Pattern((0.05, 0.05))
"""A flicker, for `ACKNOWLEDGING` seconds."""
ACKNOWLEDGING = 0.6

_STATES = {
    StreamState.OFFLINE: _READY,
    StreamState.STARTING: _STARTING,
    StreamState.LIVE: _LIT,
    StreamState.STOPPING: _STOPPING,
    StreamState.FAILED: _FAILED,
}


def pattern(state: StreamState, *, muted: bool) -> Pattern:
    """What the tally lamp shows in `state`; all that is neither on air nor on its way there begins dark, at once."""
    return _MUTED if muted and state is StreamState.LIVE else _STATES[state]
