"""Joining in small steps, so that hundreds of new viewers do not make the video late for those who watch.

An offer takes three milliseconds, an answer two. The event loop runs everything that is ready before it goes on sending
video: hundreds of them at a time would stop the video for a second.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

LONGEST_WAIT = 0.01
"""Seconds after which a step may go before the video: on a machine that is too slow for all, joining takes at most half
of the time."""


class Turns:
    """Grants one turn per iteration of the event loop, and none while `is_sending`, for up to `LONGEST_WAIT`.

    What completes the joining of a viewer goes before what begins another's; else first come, first served.
    """

    def __init__(self, is_sending: Callable[[], bool]) -> None:
        self._is_sending = is_sending
        self._answers: deque[asyncio.Future[None]] = deque()
        self._offers: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False
        self._granted_at = float("-inf")

    async def take(self, *, answer: bool) -> None:
        """Wait for a turn to apply an answer, or to make an offer; return at once if nothing is in the way."""
        if self._is_scheduled or self._must_wait():
            granted = asyncio.get_running_loop().create_future()
            (self._answers if answer else self._offers).append(granted)
            self._schedule()
            await granted
        else:
            self._grant()

    def _must_wait(self) -> bool:
        return self._is_sending() and asyncio.get_running_loop().time() - self._granted_at < LONGEST_WAIT

    def _grant(self) -> None:
        self._granted_at = asyncio.get_running_loop().time()
        self._schedule()

    def _schedule(self) -> None:
        """Decide again in the next iteration, in which sending goes on, too."""
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._is_scheduled = False
        for waiting in (self._answers, self._offers):
            while waiting and waiting[0].done():  # its viewer has left
                waiting.popleft()
        waiting = self._answers or self._offers
        if not waiting:
            return
        if self._must_wait():
            self._schedule()
            return
        waiting.popleft().set_result(None)
        self._grant()
