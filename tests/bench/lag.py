"""Meters of what delays the event loop: its lag, and garbage collections."""

from __future__ import annotations

import asyncio
import gc
import time

PERIOD = 0.01


class LagMeter:
    """Schedules a timer every 10 ms, and records in ms how late it fires; needs a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lags: list[float] = []
        self._arm()

    def take(self) -> list[float]:
        """Return all values since the last call."""
        lags, self._lags = self._lags, []
        return lags

    def _arm(self) -> None:
        due = self._loop.time() + PERIOD
        self._loop.call_at(due, self._wake, due)

    def _wake(self, due: float) -> None:
        self._lags.append(round((self._loop.time() - due) * 1000, 2))
        self._arm()


class PauseMeter:
    """Records each garbage collection of this process: its generation, and its CPU time in ms."""

    def __init__(self) -> None:
        self._pauses: list[tuple[int, float]] = []
        self._began = 0.0
        gc.callbacks.append(self._collecting)

    def take(self) -> list[tuple[int, float]]:
        """Return all values since the last call."""
        pauses, self._pauses = self._pauses, []
        return pauses

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self._pauses.append((info["generation"], round((time.thread_time() - self._began) * 1000, 2)))
