"""Each check runs in a process of its own: none can hang the others, and a crash in a library is a line and no end.

The camera's library is known to block for ever and to abort; a thread could be neither ended nor survived.
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

_GRACE = 1.0
"""Seconds for a process to end after its result; also for one that was killed while the kernel holds it."""


class NoResult(BroadcasterError):
    """A check gave nothing: it took too long, crashed, or has a bug; the text says which."""


def lines_of(names: Sequence[str], check: Callable[[], list[CheckResult]], limit: float) -> list[CheckResult]:
    """What `check` says of `names`; if it does not within `limit` seconds, or fails, lines that say so."""
    try:
        return isolated(check, limit)
    except NoResult as error:
        return [Subject(name, _WHY).broken(f"could not be looked at: {error}", _FIX) for name in names]


_WHY = "What cannot be looked at may be what is wrong."
_FIX = "See what the kernel says; if it is silent, please report this as a bug:\n  sudo dmesg --level=err,warn | tail"


def isolated(work: Callable[[], Result], limit: float) -> Result:
    """The result of `work`, done in a forked process. Raises `NoResult`."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryFile() as said, receiver:
        process = context.Process(target=_child, args=(work, sender, said.fileno()))
        process.start()
        sender.close()
        try:
            if not receiver.poll(limit):
                raise NoResult(f"no answer within {limit:g} s")
            result: Result = receiver.recv()
        except EOFError:
            process.join(_GRACE)
            raise NoResult(_last_words(process.exitcode, said)) from None
        else:
            process.join(_GRACE)
            return result
        finally:
            process.kill()
            _kill_session(process.pid)
            process.join(_GRACE)


def complete(work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` returns, like `asyncio.run`, but without waiting for its threads, which may hang: only in a check."""
    return asyncio.new_event_loop().run_until_complete(work)


def leave_if_stuck(code: int) -> None:
    """End this process here and now, if the kernel holds on to one that was killed: waiting could take for ever."""
    if multiprocessing.active_children():
        sys.stdout.flush()
        os._exit(code)


def _child(work: Callable[[], object], sender: Connection, said: int) -> None:
    """In the new process: a session of its own, so that what it starts ends with it; its chatter goes into a file."""
    os.setsid()
    os.dup2(said, 1)
    os.dup2(said, 2)
    sender.send(work())
    sender.close()


def _kill_session(leader: int | None) -> None:
    """Kill what is left of a session, such as a command that its leader started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if leader:
            os.killpg(leader, signal.SIGKILL)


def _last_words(code: int | None, said: IO[bytes]) -> str:
    if code is not None and code < 0:
        return f"it crashed ({signal.Signals(-code).name})"
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return f"a bug in the check ({lines[-1].strip()})" if lines else f"it ended with code {code}"


@contextmanager
def notes_of(name: str) -> Iterator[list[str]]:
    """The lines that loggers below `name` would write to the daemon's log meanwhile; here they go nowhere else."""
    said: list[str] = []
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [_Collector(said)], False
    logger.setLevel(logging.INFO)
    try:
        yield said
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


class _Collector(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.INFO)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())
