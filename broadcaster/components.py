"""Components: the long-lived parts of the daemon, started in order and closed in reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from broadcaster.errors import DeviceHung

log = logging.getLogger(__name__)

CLOSE_DEADLINE = 3.0
"""Default deadline in seconds for closing a component."""


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the daemon with a life cycle; `deadline` is for closing it, in seconds."""

    name: str
    start: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
    deadline: float = CLOSE_DEADLINE


def component(
    name: str, start: Callable[[], object] | None = None, close: Callable[[], object] | None = None
) -> Component:
    """Return a component made of two synchronous functions."""

    async def call(function: Callable[[], object] | None) -> None:
        if function is not None:
            function()

    return Component(name, lambda: call(start), lambda: call(close))


class Background:
    """A coroutine that runs as long as the daemon does; the daemon must watch `task`, and exit if it fails."""

    def __init__(
        self, name: str, run: Callable[[], Coroutine[Any, Any, None]], deadline: float = CLOSE_DEADLINE
    ) -> None:
        self.component = Component(name, self._start, self._close, deadline)
        self._run = run
        self._task: asyncio.Task[None] | None = None

    @property
    def task(self) -> asyncio.Task[None]:
        """The running task; it exists between start and close."""
        assert self._task is not None
        return self._task

    async def _start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.component.name)

    async def _close(self) -> None:
        """Cancel the task, and wait until it has cleaned up. Raises `DeviceHung` when it could not."""
        self.task.cancel()
        (outcome,) = await asyncio.gather(self.task, return_exceptions=True)
        if isinstance(outcome, DeviceHung):
            raise outcome


@asynccontextmanager
async def running(components: Sequence[Component]) -> AsyncIterator[None]:
    """Start the components in order; at the end, close those that were started in reverse, each within its deadline.

    A component that does not close in time, or fails to, does not keep the others from closing. The first exception is
    raised at the end, a `DeviceHung` before all others, so that the process exits and frees the device.
    """
    started: list[Component] = []
    try:
        for one in components:
            started.append(one)
            await one.start()
        yield
    finally:
        errors = [error for one in reversed(started) if (error := await _close(one)) is not None]
        if errors:
            raise next((error for error in errors if isinstance(error, DeviceHung)), errors[0])


async def _close(one: Component) -> Exception | None:
    try:
        async with asyncio.timeout(one.deadline):
            await one.close()
    except TimeoutError:
        log.error("%s did not close within %g s", one.name, one.deadline)
    except Exception as error:  # noqa: BLE001 - raised when all components are closed
        return error
    return None
