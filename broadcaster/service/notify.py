"""What the service manager is told: one datagram to the socket that it names (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class NotifySocket:
    """The way to the service manager; where there is none, `send` does nothing.

    `path` is `$NOTIFY_SOCKET`: a path, or an abstract name, which begins with `@` (unix(7)).
    """

    def __init__(self, path: str) -> None:
        self._address = "\0" + path[1:] if path.startswith("@") else path

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return self._address != ""

    def send(self, *assignments: str) -> bool:
        """Send `READY=1` and the like in one datagram, never waiting.

        False when it did not arrive, because the service manager is busy: the caller tries again later.
        """
        if not self:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.setblocking(False)
                way.connect(self._address)
                way.send("\n".join(assignments).encode())
        except OSError:
            return False
        return True


def watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Return how many seconds the service manager's watchdog waits; None when it does not watch this process.

    As sd_watchdog_enabled(3) reads `$WATCHDOG_USEC` and `$WATCHDOG_PID`.
    """
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) > 0 else None
