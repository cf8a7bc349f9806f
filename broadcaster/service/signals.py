"""Unix signals: SIGUSR1 is the live button, SIGTERM and SIGINT end the daemon, SIGHUP may reload settings."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGINT)


def ignore_button() -> None:
    """Until the loop has it, a press of the live button must not end the process, as SIGUSR1 does by itself."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def ignore_ending() -> None:
    """When the loop has given them back, and the end has begun, a second signal must not make a kill of it."""
    for number in (*ENDING, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def has_terminal() -> bool:
    """Whether this process has a controlling terminal (tty(4)), which sends SIGHUP when it goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


@contextmanager
def signals(toggle: Callable[[], None], end: Callable[[], None], hang_up: Callable[[], None]) -> Iterator[None]:
    """While inside, signals call these on the event loop's thread; SIGHUP not if it is ignored (nohup(1))."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGUSR1: toggle, **dict.fromkeys(ENDING, end)}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = hang_up
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
