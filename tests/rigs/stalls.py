"""Stalls of this process: how much a busy machine adds to everything that a test measures."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator

PATIENCE = 20.0
"""Seconds for which a test waits for an event that should occur much sooner; its delay is judged afterwards."""

TICK = 0.01
_TOLERANCE = 0.01
"""Delay of a tick in seconds that is no stall: callbacks of the test take time, and timers are not more precise."""


class Stalls:
    """Delays of a periodic timer, in seconds: their `total`, and the `longest` one.

    A stall that is not over yet is included.
    """

    def __init__(self) -> None:
        self._total = self._longest = 0.0
        self._due = math.inf

    @property
    def total(self) -> float:
        """By how much any measured duration may be too long."""
        return self._total + self._late()

    @property
    def longest(self) -> float:
        """By how much any measured pause may be too long."""
        return max(self._longest, self._late())

    def reset(self) -> None:
        """Restart counting."""
        self._total = self._longest = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        try:
            while True:
                self._due = time.monotonic() + TICK
                await asyncio.sleep(TICK)
                self._total, self._longest = self.total, self.longest
        finally:
            self._due = math.inf

    def _late(self) -> float:
        late = time.monotonic() - self._due
        return late if late > _TOLERANCE else 0.0


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Measure stalls inside the `async with` block; the result stays available."""
    measured = Stalls()
    watching = asyncio.create_task(measured.watch())
    await asyncio.sleep(0)  # let the first tick be scheduled
    try:
        yield measured
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


class Duration:
    """The duration of a block in `seconds`; NaN until it has ended."""

    def __init__(self) -> None:
        self.seconds = math.nan


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[Duration]:
    """Assert that the block ends within `seconds`, not counting stalls of this process."""
    took, began = Duration(), time.monotonic()
    async with stalls() as stalled:
        yield took
        took.seconds = time.monotonic() - began
        late = f"after {took.seconds:.3f} s instead of {seconds:g} s; this process stalled for {stalled.total:.3f} s"
        assert took.seconds < seconds + stalled.total, late
