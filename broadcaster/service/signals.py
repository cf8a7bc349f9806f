"""Unix signals: SIGUSR1 toggles live, SIGTERM and SIGINT stop the daemon, SIGHUP may reload the settings."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def ignore_toggle_signal() -> None:
    """Ignore SIGUSR1 until the event loop handles it: its default action would kill the process."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def ignore_stop_signals() -> None:
    """Ignore further signals while the process exits: a second SIGTERM must not kill it."""
    for number in (*_STOP_SIGNALS, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def has_terminal() -> bool:
    """Return whether this process has a controlling terminal (tty(4)), which sends SIGHUP when it is closed."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


@contextmanager
def signals(toggle: Callable[[], None], stop: Callable[[], None], hang_up: Callable[[], None]) -> Iterator[None]:
    """Call these functions on the event loop's thread on a signal; SIGHUP stays ignored if it was (nohup(1))."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGUSR1: toggle, **dict.fromkeys(_STOP_SIGNALS, stop)}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = hang_up
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
