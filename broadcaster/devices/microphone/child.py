"""A child process: its output is read as it arrives, the end of its error output is kept, it is always terminated."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Sequence
from types import TracebackType

TERMINATION_TIMEOUT = 0.3
"""Seconds between SIGTERM and SIGKILL; a child that waits for its device does not react to SIGTERM."""
_READ_SIZE = 1 << 16
_ERROR_OUTPUT_SIZE = 4096
"""Bytes of error output that are kept, the last ones."""


class ChildProcess:
    """Runs `command` until the end of a `with` block. Raises OSError if it cannot be started.

    If this process is killed, the pipe closes, and the child ends at its next write.
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
        self._stdout = self._process.stdout
        self._stderr = self._process.stderr
        self._error_output = b""
        self._poll = select.poll()
        os.set_blocking(self._stderr.fileno(), False)
        for stream in (self._stdout, self._stderr):
            self._poll.register(stream, select.POLLIN)

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def error_output(self) -> str:
        """The last 4 KiB of its standard error."""
        return self._error_output.decode("utf-8", "replace")

    def read(self, seconds: float) -> bytes | None:
        """Return new output; None if there is none within `seconds`, empty once the child has closed its output."""
        for descriptor, _ in self._poll.poll(seconds * 1000):
            if descriptor == self._stderr.fileno():
                if not self._read_errors():
                    self._poll.unregister(descriptor)
            else:
                return os.read(descriptor, _READ_SIZE)
        return None

    def close(self) -> None:
        """Terminate the child, with SIGTERM first, then SIGKILL; idempotent."""
        self._stdout.close()
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TERMINATION_TIMEOUT)
            self._process.kill()
        self._process.wait()
        if not self._stderr.closed:
            self._read_errors()
            self._stderr.close()

    def _read_errors(self) -> bool:
        """Read available error output; return false at its end."""
        data = self._stderr.read(_READ_SIZE)
        self._error_output = (self._error_output + (data or b""))[-_ERROR_OUTPUT_SIZE:]
        return data != b""
