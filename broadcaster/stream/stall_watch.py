"""One timer for the controller: the state machine's deadlines, and a live source that has stalled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broadcaster.ports import Clock

STALL_LIMIT = 2.0
"""Seconds without a picture after which a live source counts as stalled."""


class StallWatch:
    """Calls `wake` when the armed deadline passes; times are monotonic seconds."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._picture_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def deadline(self) -> float:
        """When a live source counts as stalled, unless a picture arrives before."""
        return self._picture_at + STALL_LIMIT

    def picture(self) -> None:
        """Note that a picture has arrived; the timer is not moved, and is armed again when it fires."""
        self._picture_at = self._clock.monotonic()

    def arm(self, deadline: float | None) -> None:
        """Wake at `deadline` instead of the one before; None disarms."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._closed:
            delay = max(0.0, deadline - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def close(self) -> None:
        """Disarm for good; idempotent."""
        self._closed = True
        self.arm(None)
