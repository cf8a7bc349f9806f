"""The thread in which a source produces what it delivers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.errors import SourceError, StreamReason

log = logging.getLogger(__name__)

JOIN_LIMIT = 2.0
"""Seconds that `close` waits for the thread; a picture takes some 20 ms, a file on a hung disk may take forever."""

Item = TypeVar("Item")


class SourceThread(Generic[Item]):
    """One named thread that runs `body(self)` until it returns, raises, or is closed.

    `take` receives what `body` delivers and `failed` the error that ended it, both on the event loop in which this
    object was created; neither is called after `close`. Any exception is reported: see `LoopBridge`.
    """

    def __init__(
        self,
        name: str,
        body: Callable[[SourceThread[Item]], None],
        take: Callable[[Item], None],
        failed: Callable[[SourceError], None],
        reason: StreamReason = StreamReason.INTERNAL,
    ) -> None:
        self._body = body
        self._bridge = LoopBridge(name, take, failed, reason)
        # A daemon thread, so that a read which never returns cannot keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether `body` has started and not ended."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start running `body`; call once."""
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering at once, and wait for the thread without blocking the loop; idempotent."""
        self._bridge.close()
        await asyncio.to_thread(self._thread.join, JOIN_LIMIT)
        if self._thread.is_alive():
            log.error("thread %s has not ended within %g s; abandoning it", self._thread.name, JOIN_LIMIT)

    def pause(self, seconds: float) -> bool:
        """In `body`: wait `seconds`, not at all if negative. Return false when `body` has to return."""
        return not self._bridge.wait_closed(max(0.0, seconds))

    def deliver(self, item: Item) -> None:
        """In `body`: pass `item` to the event loop."""
        self._bridge.deliver(item)

    def call(self, function: Callable[[Any], None], value: object) -> None:
        """In `body`: call `function(value)` on the event loop."""
        self._bridge.call(function, value)

    def _run(self) -> None:
        with self._bridge.guard():
            self._body(self)
