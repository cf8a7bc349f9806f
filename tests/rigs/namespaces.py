"""Network namespaces without names: each lasts as long as somebody holds its descriptor, and leaves nothing behind."""

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
"""linux/sched.h; `os.setns` and `os.unshare` exist from Python 3.12 on."""

_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """What this machine lacks for namespaces with TUN devices in them; None if nothing."""
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
    """A network of its own, with a loopback device that is up. Raises `OSError` for who is not root."""

    def __init__(self) -> None:
        before = os.open(_OWN, os.O_RDONLY)
        try:
            _checked(_libc.unshare(_CLONE_NEWNET))
            self._descriptor = os.open(_OWN, os.O_RDONLY)
            self.ip("link set lo up")
        finally:
            _checked(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    @property
    def path(self) -> str:
        """Where other programs find it, while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and the threads and processes that it starts meanwhile, open their sockets in here.

        A loop's worker threads stay where they began: enter before the loop's first, and use a loop for one namespace.
        """
        before = os.open(_OWN, os.O_RDONLY)
        _checked(_libc.setns(self._descriptor, _CLONE_NEWNET))
        try:
            yield
        finally:
            _checked(_libc.setns(before, _CLONE_NEWNET))
            os.close(before)

    async def run(self, scenario: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Await `scenario()` on a loop and a thread of its own that live in here."""

        def work() -> Result:
            with self.inside():
                return asyncio.run(scenario())

        return await asyncio.to_thread(work)

    def ip(self, command: str) -> None:
        """Run `ip` in the namespace of this thread. Raises `CalledProcessError`."""
        subprocess.run(["ip", *command.split()], check=True, timeout=10)

    def command(self, *command: str) -> list[str]:
        """What runs `command` in here, while this process lives; it keeps its process id."""
        return ["nsenter", f"--net={self.path}", *command]

    def wrapper(self, program: str, folder: Path) -> Path:
        """A script in `folder` that runs `program` in here, while this process lives."""
        script = folder / Path(program).name
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.command(program))} "$@"\n')
        script.chmod(0o755)
        return script

    def close(self) -> None:
        """Let go: it vanishes with the last process in it."""
        os.close(self._descriptor)


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
