"""How late the event loop is: everything that every viewer gets passes through it."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice

INTERVAL = 0.1
"""Seconds between two looks."""

_WINDOW = 300
"""Looks kept: half a minute."""


class LoopLag:
    """Measures how much later than asked a timer fires; seconds."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_WINDOW)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure."""
        loop = asyncio.get_running_loop()
        due = loop.time() + INTERVAL
        self._timer = loop.call_at(due, self._look, due)

    def close(self) -> None:
        """Measure no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def share(self, part: float) -> float:
        """The lag that this part (0 to 1) of the looks stayed within."""
        lags = sorted(self._lags)
        return lags[min(int(part * len(lags)), len(lags) - 1)] if lags else 0.0

    def recent(self, seconds: float) -> float:
        """The median lag of the last seconds."""
        lags = sorted(islice(reversed(self._lags), max(1, round(seconds / INTERVAL))))
        return lags[len(lags) // 2] if lags else 0.0

    def _look(self, due: float) -> None:
        self._lags.append(max(0.0, asyncio.get_running_loop().time() - due))
        self.start()
