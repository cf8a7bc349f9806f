"""Anonymous network namespaces: each exists as long as its descriptor is open, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

_CLONE_NEWNET = 0x40000000
"""From linux/sched.h; `os.setns` and `os.unshare` exist only since Python 3.12."""

_CURRENT = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def unavailable() -> str | None:
    """Return what this machine lacks for namespaces with TUN devices; None if nothing."""
    missing = [name for name in ("ip", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    try:
        Namespace().close()
    except OSError as error:
        return f"no network namespaces (root is needed): {error.strerror}"
    return None


class Namespace:
    """A network namespace with its loopback device up. Raises `OSError` without root."""

    def __init__(self) -> None:
        before = os.open(_CURRENT, os.O_RDONLY)
        try:
            _checked(_libc.unshare(_CLONE_NEWNET))
            self._descriptor = os.open(_CURRENT, os.O_RDONLY)
            self.ip("link set lo up")
        finally:
            _checked(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    @property
    def path(self) -> str:
        """A path to the namespace for other programs, valid while this process runs."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Run this thread, and threads and processes that it starts meanwhile, in the namespace.

        Worker threads of an event loop stay in the namespace in which they were started: enter it before the loop
        starts its first one, and use a loop for one namespace only.
        """
        before = os.open(_CURRENT, os.O_RDONLY)
        _checked(_libc.setns(self._descriptor, _CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    async def run(self, scenario: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Await `scenario()` on an event loop in a thread of its own in the namespace."""

        def work() -> Result:
            with self.inside():
                return asyncio.run(scenario())

        return await asyncio.to_thread(work)

    def ip(self, command: str) -> None:
        """Run `ip` in the namespace of this thread. Raises `CalledProcessError`."""
        subprocess.run(["ip", *command.split()], check=True, timeout=10)

    def command(self, *command: str) -> list[str]:
        """Return a command line that runs `command` in the namespace with the same process id."""
        return ["nsenter", f"--net={self.path}", *command]

    def wrapper(self, program: str, folder: Path) -> Path:
        """Write a script into `folder` that runs `program` in the namespace, while this process runs."""
        script = folder / Path(program).name
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.command(program))} "$@"\n')
        script.chmod(0o755)
        return script

    def close(self) -> None:
        """Close the descriptor; the namespace disappears with the last process in it."""
        os.close(self._descriptor)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
