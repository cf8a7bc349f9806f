"""Unix signals: SIGUSR1 is the live button, SIGTERM and SIGINT end the daemon."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGINT)


def ignore_button() -> None:
    """Until the loop has it, a press of the live button must not end the process, as SIGUSR1 does by itself."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def ignore_ending() -> None:
    """When the loop has given them back, and the end has begun, a second signal must not make a kill of it."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def signals(toggle: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    """While inside, signals call these on the event loop's thread."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGUSR1: toggle, **dict.fromkeys(ENDING, end)}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
