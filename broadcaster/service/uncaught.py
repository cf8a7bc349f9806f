"""Handlers for uncaught exceptions in threads and event loop callbacks: they are counted and logged."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from broadcaster.stream.bug_log import BugLog


@contextlib.contextmanager
def uncaught_errors(bugs: BugLog) -> Iterator[None]:
    """Send uncaught exceptions to `bugs` inside the block; enter it on the running event loop.

    Otherwise Python would write a thread's exception to stderr, past the log, and a callback's to the log on every
    call. Our own threads catch everything themselves; those of libraries (picamera2, gpiozero) do not. If the stream
    needed such a thread, it stalls; the stall is detected, and the device is opened again.
    """
    loop = asyncio.get_running_loop()

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else "a thread"
        error = arguments.exc_value or RuntimeError("the thread ended without an exception")
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is about to exit
            loop.call_soon_threadsafe(bugs.add, f"thread {name}", error)

    def in_callback(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None or isinstance(error, OSError):  # mostly connection errors, which are not bugs
            loop.default_exception_handler(context)
        else:
            bugs.add(f"the event loop ({context['message']})", error)

    hook, threading.excepthook = threading.excepthook, in_thread
    handler = loop.get_exception_handler()
    loop.set_exception_handler(in_callback)
    try:
        yield
    finally:
        threading.excepthook = hook
        loop.set_exception_handler(handler)
