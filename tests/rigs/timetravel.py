"""An event loop on a simulated clock: waiting takes no time, and time measurements are exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any


class TravelClock:
    """A `ports.Clock` that the loop advances instead of waiting."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.unix_offset = 1.7e9

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now + self.unix_offset


class _TravelSelector(selectors.DefaultSelector):
    """Advances the clock by the timeout instead of waiting."""

    def __init__(self, clock: TravelClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("the test waits for an event that never happens")
        if not ready and timeout is not None:
            self._clock.now += max(timeout, 0)
        return ready


def travel(scenario: Callable[[TravelClock], Coroutine[Any, Any, None]]) -> None:
    """Run `scenario(clock)` on a loop with that clock."""
    clock = TravelClock()
    with asyncio.Runner(loop_factory=lambda: travel_loop(clock)) as runner:
        runner.run(scenario(clock))


def travel_loop(clock: TravelClock) -> asyncio.AbstractEventLoop:
    """Return a new event loop with this clock."""
    loop = asyncio.SelectorEventLoop(_TravelSelector(clock))
    loop.time = clock.monotonic  # type: ignore[method-assign]
    return loop
