"""The one place where anything crosses from a source's threads into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from broadcaster.errors import SourceError

Item = TypeVar("Item")


class LoopBridge(Generic[Item]):
    """Brings what threads deliver to the event loop that made this object.

    `take` gets the items and `failed` an error, both on the loop, and neither is ever called once `close` has been.
    """

    def __init__(self, take: Callable[[Item], None], failed: Callable[[SourceError], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._take = take
        self._failed = failed
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether nobody listens any more."""
        return self._closed.is_set()

    def wait_closed(self, seconds: float) -> bool:
        """In a thread: wait that long at most; whether it has been closed."""
        return self._closed.wait(seconds)

    def close(self) -> None:
        """On the loop: let nothing through any more, also what is on its way."""
        self._closed.set()

    def deliver(self, item: Item) -> None:
        """In a thread: hand `item` over."""
        self._cross(self._take, item)

    def fail(self, error: SourceError) -> None:
        """In a thread: hand over what ended the source."""
        self._cross(self._failed, error)

    def _cross(self, function: Callable[[Any], None], value: object) -> None:
        # RuntimeError: the loop has been closed, nobody is left to hear it.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrive, function, value)

    def _arrive(self, function: Callable[[Any], None], value: object) -> None:
        # `close` runs on this same thread, so nothing can slip through between the question and the call.
        if not self._closed.is_set():
            function(value)
