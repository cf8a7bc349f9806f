"""A thread that does blocking work for the event loop, one call after the other."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from broadcaster.errors import BusyError

Answer = TypeVar("Answer")


class Worker:
    """One thread with a bounded queue, which begins with the first call and ends when there is nothing to do.

    Unlike those of an executor, it cannot keep the process from exiting while a disk does not respond.
    """

    def __init__(self, name: str, limit: int) -> None:
        """`limit` is how many calls may wait."""
        self._name = name
        self._limit = limit
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0

    async def run(self, function: Callable[[], Answer]) -> Answer:
        """Return what a function returns in the thread; its exceptions are raised here. Raises `BusyError`.

        If the caller is cancelled while the call waits, the function is not called.
        """
        if self._pending > self._limit:
            raise BusyError(f"{self._name}: too many requests at the same time")
        result: Future[Answer] = Future()
        self._calls.put(partial(_answer, function, result))
        with self._lock:
            self._pending += 1
            if self._pending == 1:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return await asyncio.wrap_future(result)

    def _run(self) -> None:
        while True:
            self._calls.get_nowait()()
            with self._lock:
                self._pending -= 1
                if not self._pending:
                    return


def _answer(function: Callable[[], Answer], result: Future[Answer]) -> None:
    if not result.set_running_or_notify_cancel():
        return
    try:
        result.set_result(function())
    except Exception as error:  # noqa: BLE001 - raised again where the result is awaited
        result.set_exception(error)
