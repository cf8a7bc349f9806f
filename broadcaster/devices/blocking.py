"""Calls that may block forever, mostly into device libraries: run in a thread of their own, with a deadline."""

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
"""Seconds within which a device must be closed. A camera takes 0.2 to 0.5 s; the daemon has 3 s to exit."""

Result = TypeVar("Result")

Explain = Callable[[BaseException], Exception]
"""Converts a library's exception to one of this project's."""


class Overdue(Exception):
    """A call has passed its deadline; it continues in its thread and may never return."""


class Worker:
    """A thread that makes the calls submitted to it, one after the other.

    `what` names the device in log lines and errors. A call that hangs blocks all later ones, so after `Overdue` only
    `close` is useful; it finds out whether the device responds again.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._hung = False
        # A daemon thread, not one of a ThreadPoolExecutor: those keep the process from exiting while a call hangs.
        threading.Thread(target=self._work, name=what, daemon=True).start()

    async def call(self, function: Callable[[], Result], limit: float | None, explain: Explain | None = None) -> Result:
        """Return what `function` returns, or raise what it raises, converted by `explain`.

        Raises `Overdue` after `limit` seconds, if there is a limit. When this coroutine is cancelled, the call
        continues in its thread and its outcome is discarded.
        """
        future = self._submit(function)
        waiting = asyncio.wrap_future(future)
        waiting.add_done_callback(_retrieve)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=limit)
        finally:
            waiting.cancel()  # otherwise it would call into an event loop that may be closed by then
        return _outcome(future, bool(done), explain)

    def call_blocking(self, function: Callable[[], Result], limit: float, explain: Explain | None = None) -> Result:
        """Do the same as `call`, without an event loop."""
        future = self._submit(function)
        return _outcome(future, bool(wait([future], limit).done), explain)

    def post(self, function: Callable[[], object]) -> None:
        """Submit a call whose result is not needed; what it raises is logged."""
        if not self._hung:
            self._submit(function).add_done_callback(self._log_error)

    def end(self) -> None:
        """Accept no more calls; the thread ends after the last one."""
        self._calls.put(None)

    async def close(self, function: Callable[[], object], limit: float = CLOSE_LIMIT) -> None:
        """Make the last call, which releases the device, and end the thread.

        What it raises is only logged. Raises `DeviceHung` when it, or a call before it, has not returned after
        `limit` seconds; at once if an earlier `close` did.
        """
        if self._hung:
            raise self._hang_error()
        try:
            self.post(function)
            await self.call(_nothing, limit)
        except Overdue:
            self._hung = True
            raise self._hang_error() from None
        finally:
            self.end()

    def _submit(self, function: Callable[[], Result]) -> Future[Result]:
        future: Future[Result] = Future()
        self._calls.put((future, function))
        return future

    def _work(self) -> None:
        while call := self._calls.get():
            _run(*call)
            del call  # otherwise its result, such as an open camera, would stay alive until the next call

    def _log_error(self, future: Future[object]) -> None:
        if not future.cancelled() and (error := future.exception()):
            log.warning("%s: %s", self._what, error)

    def _hang_error(self) -> DeviceHung:
        return DeviceHung(f"{self._what} hangs and cannot be closed; only a new process can open it again")


async def in_thread(what: str, function: Callable[[], Result]) -> Result:
    """Run `function` in a thread of its own, named `what`; return what it returns, or raise what it raises.

    Unlike `asyncio.to_thread`, a call that hangs delays neither cancellation nor the exit of the process.
    """
    worker = Worker(what)
    try:
        return await worker.call(function, None)
    finally:
        worker.end()


def _run(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - raised again by the future
        future.set_exception(error)
    finally:
        del future, function  # breaks the reference cycle error -> traceback -> frame -> future


def _outcome(future: Future[Result], done: bool, explain: Explain | None) -> Result:
    if not done:
        raise Overdue
    error = future.exception()
    if error is not None and explain is not None:
        raise explain(error) from error
    return future.result()


def _retrieve(future: asyncio.Future[Result]) -> None:
    """Retrieve the exception, so that asyncio does not log one that is raised after the caller was cancelled."""
    if not future.cancelled():
        future.exception()


def _nothing() -> None:
    """Do nothing: a call that returns when all calls before it have returned."""
