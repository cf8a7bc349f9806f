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

Explain = Callable[[BaseException], Exception]
"""Puts into our words what a library has raised."""


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

    async def call(self, function: Callable[[], Result], limit: float, explain: Explain | None = None) -> Result:
        """Return what `function` returns, or raise what it raises, whatever that is, as `explain` puts it.

        Raises `Overdue` after `limit` seconds.
        """
        future = self._submit(function)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_heard)
        done, _ = await asyncio.wait({waiting}, timeout=limit)
        return _outcome(future, bool(done), explain)

    def call_blocking(self, function: Callable[[], Result], limit: float, explain: Explain | None = None) -> Result:
        """The same before there is an event loop to wait in."""
        future = self._submit(function)
        return _outcome(future, bool(wait([future], limit).done), explain)

    def post(self, function: Callable[[], object]) -> None:
        """Make a call whose result nobody needs; what it raises is logged."""
        if not self._hung:
            self._submit(function).add_done_callback(self._look)

    def end(self) -> None:
        """Take no more calls; the thread ends with the last one."""
        self._pool.shutdown(wait=False)

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
            self.end()

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        return self._pool.submit(function)

    def _look(self, future: Future[object]) -> None:
        if not future.cancelled() and (error := future.exception()):
            log.warning("%s: %s", self._what, error)

    def _hopeless(self) -> DeviceHung:
        return DeviceHung(f"{self._what} hangs and cannot be closed; only a new process can open it again")


def _outcome(future: Future[Result], done: bool, explain: Explain | None) -> Result:
    if not done:
        raise Overdue
    error = future.exception()
    if error is not None and explain is not None:
        raise explain(error) from error
    return future.result()


def _heard(future: asyncio.Future[Result]) -> None:
    """An exception that comes when nobody waits any more is no bug."""
    if not future.cancelled():
        future.exception()


def _nothing() -> None:
    """What comes after the last call."""
