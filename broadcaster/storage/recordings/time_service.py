"""Whether a time service has set the clock of this machine, and the id of the machine's start.

The kernel knows it, whatever the time service is: systemd-timesyncd, chrony or ntpd. But the service may not ask it:
`ProtectClock=` blocks adjtimex(2), even if it only reads (systemd.exec(5)). Then systemd-timedated is asked.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from threading import Thread

ASK_TIMEDATED = (
    "busctl", "--timeout=2", "get-property", "org.freedesktop.timedate1", "/org/freedesktop/timedate1",
    "org.freedesktop.timedate1", "NTPSynchronized",
)  # fmt: skip
"""Prints `b true` if the kernel's clock is synchronised (org.freedesktop.timedate1(5)); every user may ask."""
INTERVAL = 60.0
"""Seconds between two such questions, each of which starts a process or two."""
_TIMEOUT = 5.0
"""Seconds until a question is given up."""
_PATIENCE = 0.2
"""Seconds to wait for the answer at once; a later one is taken at the next call: nobody waits for a stuck bus."""

_TIMESYNCD = "/run/systemd/timesync/synchronized"
"""Made by systemd-timesyncd when it has set the clock (systemd-timesyncd(8))."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_ERROR = 16_000_000
"""Microseconds of maximum error from which systemd regards a clock as unsynchronised (time-util.c)."""
_TIMEX_SIZE = 512
"""Bytes; more than `struct timex` has on any platform."""


class TimeService:
    """Asks once in a while until the clock is set. Afterwards its drift is too small to matter for recordings."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        command: Sequence[str] = ASK_TIMEDATED,
        ask_kernel: Callable[[], bool | None] | None = None,
    ) -> None:
        """`ask_kernel` returns None if it may not be asked."""
        self._monotonic = monotonic
        self._command = command
        self._ask_kernel = ask_kernel or kernel_is_synchronized
        self._asked = float("-inf")
        self._question: Thread | None = None
        self._answer = False
        self._is_synchronized = False

    def is_synchronized(self) -> bool:
        """Return whether a time service has set the clock, as far as is known within `_PATIENCE`."""
        if not self._is_synchronized:
            self._is_synchronized = os.path.exists(_TIMESYNCD) or self._ask()
        return self._is_synchronized

    def _ask(self) -> bool:
        answer = self._ask_kernel()
        if answer is not None:
            return answer
        now = self._monotonic()
        if now - self._asked >= INTERVAL and (self._question is None or not self._question.is_alive()):
            self._asked = now
            self._question = Thread(target=self._ask_command, name="time service", daemon=True)
            self._question.start()
            self._question.join(_PATIENCE)
        return self._answer

    def _ask_command(self) -> None:
        self._answer = _output(self._command).split() == ["b", "true"]


def boot_id() -> str:
    """Return the id of the machine's start; empty if it is unknown."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def kernel_is_synchronized() -> bool | None:
    """Ask adjtimex(2), which changes nothing here; None if that is not allowed."""
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    if _libc().adjtimex(timex) < 0:
        return None
    # struct timex: int modes, then long offset, freq, maxerror.
    return ctypes.c_long.from_buffer(timex, 3 * ctypes.sizeof(ctypes.c_long)).value < _MAX_ERROR


def _output(command: Sequence[str]) -> str:
    """Return what a command prints; empty if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("ascii", "replace")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
