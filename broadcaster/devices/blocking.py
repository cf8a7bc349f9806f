"""Calls that may block for ever, into a device's library mostly: in a thread of their own, each with a deadline."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

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
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._hung = False
        # A daemon, and none of a ThreadPoolExecutor: those keep the process from ending for as long as a call hangs.
        threading.Thread(target=self._work, name=what, daemon=True).start()

    async def call(self, function: Callable[[], Result], limit: float | None, explain: Explain | None = None) -> Result:
        """Return what `function` returns, or raise what it raises, whatever that is, as `explain` puts it.

        Raises `Overdue` after `limit` seconds, if there is a limit. When this is cancelled the call goes on, and
        nobody hears of its end.
        """
        future = self._submit(function)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_heard)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=limit)
        finally:
            waiting.cancel()  # or it would look for an event loop that may be gone by then
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
        self._calls.put(None)

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
        future: Future[Result] = Future()
        self._calls.put((future, function))
        return future

    def _work(self) -> None:
        while call := self._calls.get():
            _make(*call)
            del call  # or what it has returned, such as an open camera, would live until the next call

    def _look(self, future: Future[object]) -> None:
        if not future.cancelled() and (error := future.exception()):
            log.warning("%s: %s", self._what, error)

    def _hopeless(self) -> DeviceHung:
        return DeviceHung(f"{self._what} hangs and cannot be closed; only a new process can open it again")


async def call_aside(what: str, function: Callable[[], Result]) -> Result:
    """Return what `function` returns, or raise what it raises, in a thread of its own, named `what`.

    Unlike `asyncio.to_thread` this keeps nobody from going on when it is cancelled, nor the process from ending.
    """
    worker = Worker(what)
    try:
        return await worker.call(function, None)
    finally:
        worker.end()


def _make(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
        future.set_exception(error)
    finally:
        del future, function  # the error knows this frame, and must not keep alive in a circle what the frame knows


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
