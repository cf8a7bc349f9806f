"""A light that follows a blink pattern, with one timer in the event loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from broadcaster.devices.panel.patterns import ACKNOWLEDGED, ACKNOWLEDGING, Pattern
from broadcaster.ports import Clock


class Lamp:
    """A light switched by `light`; off until `show` or `acknowledge`."""

    def __init__(self, light: Callable[[bool], None], clock: Clock) -> None:
        self._light = light
        self._clock = clock
        self._pattern: Pattern | None = None
        self._since = 0.0
        self._acknowledged_at = -math.inf
        self._lit = False
        self._timer: asyncio.TimerHandle | None = None

    def show(self, pattern: Pattern) -> None:
        """Show `pattern` from its beginning; continue if it is shown already."""
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
        self._switch(False)

    def _update(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        lit, rest = self._now()
        self._switch(lit)
        self._timer = asyncio.get_running_loop().call_later(rest, self._update) if rest < math.inf else None

    def _now(self) -> tuple[bool, float]:
        """Return whether the light has to be on, and for how much longer."""
        now = self._clock.monotonic()
        left = self._acknowledged_at + ACKNOWLEDGING - now
        if left > 0:
            lit, rest = ACKNOWLEDGED.at(now - self._acknowledged_at)
            return lit, min(rest, left)
        return self._pattern.at(now - self._since) if self._pattern else (False, math.inf)

    def _switch(self, lit: bool) -> None:
        if lit is not self._lit:
            self._lit = lit
            self._light(lit)
