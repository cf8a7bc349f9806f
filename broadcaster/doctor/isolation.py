"""Isolation of the checks: each runs in its own process, so that none can block or crash the others.

The camera's library is known to block forever and to abort; a thread could neither be killed nor survive an abort.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import IO, Any, TypeVar

from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError

Result = TypeVar("Result")

_JOIN_TIMEOUT = 1.0
"""Seconds for a process to end after its result or after SIGKILL, which the kernel may delay."""

_WHY = "A part that cannot be checked may be the one that is broken."
_FIX = "Look into the kernel log; if it shows no cause, please report a bug:\n  sudo dmesg --level=err,warn | tail"


class NoResult(BroadcasterError):
    """A check returned nothing: it took too long, crashed, or has a bug; the message says which."""


def check_isolated(names: Sequence[str], check: Callable[[], list[CheckResult]], limit: float) -> list[CheckResult]:
    """Return the results of `check`, or a broken one for each of `names` if it fails or exceeds `limit` seconds."""
    try:
        return run_isolated(check, limit)
    except NoResult as error:
        return [Subject(name, _WHY).broken(f"could not be checked: {error}", _FIX) for name in names]


def run_isolated(work: Callable[[], Result], limit: float) -> Result:
    """Return the result of `work`, run in a forked process for at most `limit` seconds. Raises `NoResult`."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryFile() as output, receiver:
        process = context.Process(target=_run_child, args=(work, sender, output.fileno()))
        process.start()
        sender.close()
        try:
            if not receiver.poll(limit):
                raise NoResult(f"no answer within {limit:g} s")
            result: Result = receiver.recv()
        except EOFError:
            process.join(_JOIN_TIMEOUT)
            raise NoResult(_describe_failure(process.exitcode, output)) from None
        else:
            process.join(_JOIN_TIMEOUT)
            return result
        finally:
            process.kill()
            _kill_session(process.pid)
            process.join(_JOIN_TIMEOUT)


def run_coroutine(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine like `asyncio.run`, but do not wait for its threads, which may hang; only for a forked check."""
    return asyncio.new_event_loop().run_until_complete(work)


def exit_if_stuck(code: int) -> None:
    """Exit immediately if a killed process still exists in the kernel: a normal exit would wait for it forever."""
    if multiprocessing.active_children():
        sys.stdout.flush()
        os._exit(code)


def _run_child(work: Callable[[], object], sender: Connection, output: int) -> None:
    """Run `work` in a new session, so that its child processes can be killed, with stdout and stderr in a file."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    sender.send(work())
    sender.close()


def _kill_session(leader: int | None) -> None:
    """Kill the rest of a session, such as a command that its leader started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if leader:
            os.killpg(leader, signal.SIGKILL)


def _describe_failure(code: int | None, output: IO[bytes]) -> str:
    """Describe how a process without a result ended; the last line of a traceback names the exception."""
    if code is not None and code < 0:
        return f"the check crashed ({signal.Signals(-code).name})"
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return f"the check has a bug ({lines[-1].strip()})" if lines else f"the check exited with code {code}"


@contextmanager
def captured_logs(name: str) -> Iterator[list[str]]:
    """Collect the INFO messages and above of the loggers below `name`, instead of logging them."""
    messages: list[str] = []
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [_ListHandler(messages)], False
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


class _ListHandler(logging.Handler):
    """Appends every message to a list."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.INFO)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())
