"""The only path from a source's threads into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import av

from broadcaster.errors import SourceBug, SourceError, StreamReason

Item = TypeVar("Item")


class LoopBridge(Generic[Item]):
    """Passes items and errors from threads to the event loop in which this object was created.

    `take` receives the items and `failed` at most one error, both on the loop. Neither is called after that error or
    after `close`. `name` is the source's name for the log; `reason` is the reason reported for errors of libav and of
    the operating system that were not converted before.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[Item], None],
        failed: Callable[[SourceError], None],
        reason: StreamReason = StreamReason.INTERNAL,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._take = take
        self._failed = failed
        self._reason = reason
        self._closed = threading.Event()

    def wait_closed(self, seconds: float) -> bool:
        """In a thread: wait at most `seconds`; return whether the bridge is closed."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """On the loop: stop delivery, including of items already queued."""
        self._closed.set()

    def deliver(self, item: Item) -> None:
        """In a thread: pass `item` to the loop."""
        self.call(self._take, item)

    def call(self, function: Callable[[Any], None], value: object) -> None:
        """In a thread: call `function(value)` on the loop, as `take` is called."""
        self._call_on_loop(self._arrive, (function, value))

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """In a thread: report what the block raises as the source's failure; it never ends the process."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a SourceBug is logged and counted
            self._call_on_loop(self._fail, self._convert_error(error))

    def _call_on_loop(self, function: Callable[[Any], None], value: object) -> None:
        # RuntimeError: the loop is closed, so there is no receiver.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, value)

    def _arrive(self, call: tuple[Callable[[Any], None], Any]) -> None:
        # `close` runs on this same thread, so it cannot happen between the check and the call.
        if self._closed.is_set():
            return
        try:
            function, value = call
            function(value)
        except Exception as error:  # noqa: BLE001 - a SourceBug is logged and counted
            # The item is lost, and later ones may refer to it: only a new start gives viewers an intact picture.
            self._fail(SourceBug(f"handling an item of {self._name}", error))

    def _fail(self, error: SourceError) -> None:
        if not self._closed.is_set():
            self.close()
            self._failed(error)

    def _convert_error(self, error: Exception) -> SourceError:
        if isinstance(error, SourceError):
            return error
        if isinstance(error, OSError | av.FFmpegError):
            return SourceError(self._reason, f"{self._name}: {error.strerror or error}")
        return SourceBug(self._name, error)
