"""A child process whose output is read as it arrives, whose error output is kept, and which is always terminated."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Sequence
from types import TracebackType

PATIENCE = 0.3
"""Seconds between SIGTERM and SIGKILL; a child that waits for its device does not react to SIGTERM."""
_READ = 1 << 16
_REMEMBERED = 4096
"""Bytes of error output that are kept, the last ones."""


class Child:
    """Runs `command` inside a `with` block, at the end of which it has ended. Raises OSError where it is not there.

    Should this process be killed, the pipe closes, and the child ends when it next writes.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},  # its error messages are parsed
            start_new_session=True,  # Ctrl-C must reach only the daemon, which terminates the child in order
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out = self._process.stdout
        self._err = self._process.stderr
        self._complaints = b""
        self._poll = select.poll()
        os.set_blocking(self._err.fileno(), False)
        for stream in (self._out, self._err):
            self._poll.register(stream, select.POLLIN)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def complaints(self) -> str:
        """The last 4 KiB of its standard error."""
        return self._complaints.decode("utf-8", "replace")

    def read(self, seconds: float) -> bytes | None:
        """Return new output; None if there is none within `seconds`, empty once the child has closed its output."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._err.fileno():
                if not self._listen():
                    self._poll.unregister(descriptor)
            else:
                return os.read(descriptor, _READ)
        return None

    def close(self) -> None:
        """Terminate the child, with SIGTERM first, then SIGKILL; idempotent."""
        self._out.close()
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
            self._process.kill()
        self._process.wait()
        if not self._err.closed:
            self._listen()
            self._err.close()

    def _listen(self) -> bool:
        """Read its error output; return false at its end."""
        said = self._err.read(_READ)
        self._complaints = (self._complaints + (said or b""))[-_REMEMBERED:]
        return said != b""
