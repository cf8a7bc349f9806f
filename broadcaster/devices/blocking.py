"""Calls into a device's library that may block for ever: in a thread of their own, each with a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from broadcaster.errors import DeviceHung

log = logging.getLogger(__name__)

CLOSE_LIMIT = 2.5
"""Seconds within which a device must be closed. A camera takes 0.2 to 0.5 s; the daemon has 3 s to end."""

Result = TypeVar("Result")


class Overdue(Exception):
    """A call has passed its deadline; it goes on in its thread, and may never come back."""


class Worker:
    """One thread that makes the calls handed to it, one after the other.

    `what` names the device for people. A call that hangs holds up all that follow, so after a call that was
    `Overdue` there is only `close`, which tells whether the device has come back.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._pool = ThreadPoolExecutor(1, what)
        self._hung = False

    async def call(self, function: Callable[[], Result], limit: float) -> Result:
        """Return what `function` returns, or raise what it raises. Raises `Overdue` after `limit` seconds."""
        future = asyncio.wrap_future(self._submit(function))
        done, _ = await asyncio.wait({future}, timeout=limit)
        if not done:
            raise Overdue
        return future.result()

    def call_blocking(self, function: Callable[[], Result], limit: float) -> Result:
        """The same before there is an event loop to wait in."""
        future = self._submit(function)
        if not wait([future], limit).done:
            raise Overdue
        return future.result()

    def post(self, function: Callable[[], object]) -> None:
        """Make a call whose result nobody needs; what it raises is logged."""
        self._submit(function).add_done_callback(self._look)

    async def close(self, function: Callable[[], object], limit: float = CLOSE_LIMIT) -> None:
        """Make the last call, which lets go of the device, and end the thread.

        What it raises is logged: there is nothing more to be done. Raises `DeviceHung` when it, or a call before
        it, has not come back after `limit` seconds, and at once when that was so before.
        """
        if self._hung:
            raise self._hopeless()
        try:
            self.post(function)
            await self.call(_nothing, limit)
        except Overdue:
            self._hung = True
            raise self._hopeless() from None
        finally:
            self._pool.shutdown(wait=False)

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        future = self._pool.submit(function)
        future.add_done_callback(Future.exception)  # one that comes when nobody waits any more is no complaint
        return future

    def _look(self, future: Future[object]) -> None:
        if not future.cancelled() and (error := future.exception()):
            log.warning("%s: %s", self._what, error)

    def _hopeless(self) -> DeviceHung:
        return DeviceHung(f"{self._what} hangs and cannot be closed; only a new process can open it again")


def _nothing() -> None:
    """What comes after the last call."""
