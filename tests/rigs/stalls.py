"""How long this process was not let run: what a busy machine adds to everything that a test measures."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator

PATIENCE = 20.0
"""Seconds for which a test waits for what should have come long before; how late it came is judged afterwards."""

TICK = 0.01
_USUAL = 0.01
"""Seconds by which a tick may be late and not count: callbacks of the test's own take some, and timers are no finer."""


class Stalls:
    """How much later than asked its ticks came since it began, in seconds: `total` of all, and the `longest` one.

    One that is not over yet counts as far as it has come.
    """

    def __init__(self) -> None:
        self._total = self._longest = 0.0
        self._due = math.inf

    @property
    def total(self) -> float:
        """What every measured time may be too long by."""
        return self._total + self._late()

    @property
    def longest(self) -> float:
        """What every measured pause may be too long by."""
        return max(self._longest, self._late())

    def forget(self) -> None:
        """Begin anew."""
        self._total = self._longest = 0.0

    async def watch(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                self._due = time.monotonic() + TICK
                await asyncio.sleep(TICK)
                self._total, self._longest = self.total, self.longest
        finally:
            self._due = math.inf

    def _late(self) -> float:
        late = time.monotonic() - self._due
        return late if late > _USUAL else 0.0


@contextlib.asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Watch while inside; what it found stays."""
    found = Stalls()
    watching = asyncio.create_task(found.watch())
    await asyncio.sleep(0)  # its first tick is due from here on
    try:
        yield found
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


class Took:
    """How long something took, in `seconds`; known afterwards."""

    def __init__(self) -> None:
        self.seconds = math.nan


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[Took]:
    """What is done inside must be over so soon, but for the time for which this process was not let run."""
    took, began = Took(), time.monotonic()
    async with stalls() as stalled:
        yield took
        took.seconds = time.monotonic() - began
        late = (
            f"after {took.seconds:.3f} s instead of {seconds:g} s; this process stood still for {stalled.total:.3f} s"
        )
        assert took.seconds < seconds + stalled.total, late
