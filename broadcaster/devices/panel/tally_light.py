"""The tally light: an LED that follows a blink pattern, with one timer in the event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from broadcaster.devices.panel.patterns import ACKNOWLEDGED, ACKNOWLEDGING, Pattern
from broadcaster.ports import Clock


class TallyLight:
    """An LED that `switch` turns on and off; off until `show` or `acknowledge`."""

    def __init__(self, switch: Callable[[bool], None], clock: Clock) -> None:
        self._switch = switch
        self._clock = clock
        self._pattern: Pattern | None = None
        self._since = 0.0
        self._acknowledged_at = -math.inf
        self._lit = False
        self._timer: asyncio.TimerHandle | None = None

    def show(self, pattern: Pattern) -> None:
        """Show `pattern` from its beginning, or continue if it is shown already."""
        if pattern is not self._pattern:
            self._pattern, self._since = pattern, self._clock.monotonic()
            self._update()

    def acknowledge(self) -> None:
        """Flicker briefly, whatever is shown."""
        self._acknowledged_at = self._clock.monotonic()
        self._update()

    def close(self) -> None:
        """Switch off permanently; idempotent."""
        self._pattern = None
        if self._timer is not None:
            self._timer.cancel()
        self._set(False)

    def _update(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        lit, remaining = self._state()
        self._set(lit)
        self._timer = asyncio.get_running_loop().call_later(remaining, self._update) if remaining < math.inf else None

    def _state(self) -> tuple[bool, float]:
        """Return whether the LED has to be on, and for how many seconds."""
        now = self._clock.monotonic()
        flicker_left = self._acknowledged_at + ACKNOWLEDGING - now
        if flicker_left > 0:
            lit, remaining = ACKNOWLEDGED.at(now - self._acknowledged_at)
            return lit, min(remaining, flicker_left)
        return self._pattern.at(now - self._since) if self._pattern else (False, math.inf)

    def _set(self, lit: bool) -> None:
        if lit is not self._lit:
            self._lit = lit
            self._switch(lit)
