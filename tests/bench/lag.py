"""How late the event loop is: what a packet, a STUN check or a click waits for its turn."""

from __future__ import annotations

import asyncio

PERIOD = 0.01


class LagMeter:
    """Asks for its turn every 10 ms, and notes in ms how much later it got it; needs a running loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lags: list[float] = []
        self._arm()

    def take(self) -> list[float]:
        """All since the last time."""
        lags, self._lags = self._lags, []
        return lags

    def _arm(self) -> None:
        due = self._loop.time() + PERIOD
        self._loop.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        self._lags.append(round((self._loop.time() - due) * 1000, 2))
        self._arm()
