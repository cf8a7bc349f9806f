"""Notifications to the service manager: one datagram each to its socket (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class NotifySocket:
    """The service manager's socket; without a service manager, `send` does nothing.

    `path` is `$NOTIFY_SOCKET`: a path, or an abstract name that starts with `@` (unix(7)).
    """

    def __init__(self, path: str) -> None:
        self._address = "\0" + path[1:] if path.startswith("@") else path

    def __bool__(self) -> bool:
        """Whether there is a service manager."""
        return self._address != ""

    def send(self, *assignments: str) -> bool:
        """Send assignments such as `READY=1` in one datagram, without blocking.

        Return False if the datagram could not be sent, for example because the service manager is busy.
        """
        if not self:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify_socket:
                notify_socket.setblocking(False)
                notify_socket.connect(self._address)
                notify_socket.send("\n".join(assignments).encode())
        except OSError:
            return False
        return True


def watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Return the watchdog timeout in seconds; None if the service manager has no watchdog for this process.

    `$WATCHDOG_USEC` and `$WATCHDOG_PID` are read as sd_watchdog_enabled(3) does.
    """
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) > 0 else None
