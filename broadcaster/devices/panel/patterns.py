"""Blink patterns of the tally light, one for each state of the stream. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from broadcaster.model.stream import StreamState

_ROUNDING = 1e-4
"""Remaining seconds that count as none, so that rounding errors cannot lead to timers of no length."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Alternating off and on spans in seconds, starting with off, repeated endlessly."""

    spans: tuple[float, ...]

    def at(self, elapsed: float) -> tuple[bool, float]:
        """Return whether the light is on `elapsed` seconds (0 or more) after the start, and for how much longer."""
        total = math.fsum(self.spans)
        rest = elapsed % total if total < math.inf else elapsed
        for index, span in enumerate(self.spans):
            if span - rest > _ROUNDING:
                return index % 2 == 1, span - rest
            rest -= span
        return self.at(0.0)


_LIVE = Pattern((0.0, math.inf))
_OFFLINE = Pattern((1.9, 0.1))
_STARTING = Pattern((0.0, 0.5, 0.5))
_STOPPING = Pattern((0.5, 0.5))
_FAILED = Pattern((0.125, 0.125))
_MUTED = Pattern((0.1, 1.9))
ACKNOWLEDGED = Pattern((0.05, 0.05))
"""A flicker, for `ACKNOWLEDGING` seconds."""
ACKNOWLEDGING = 0.6

_STATES = {
    StreamState.OFFLINE: _OFFLINE,
    StreamState.STARTING: _STARTING,
    StreamState.LIVE: _LIVE,
    StreamState.STOPPING: _STOPPING,
    StreamState.FAILED: _FAILED,
}


def pattern(state: StreamState, *, muted: bool) -> Pattern:
    """Return the tally light's pattern for `state`; all except live and starting begin with the light off."""
    return _MUTED if muted and state is StreamState.LIVE else _STATES[state]
