"""Whether a time service has set the clock of this machine, and the id of the machine's start."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

_TIMESYNCD = "/run/systemd/timesync/synchronized"
"""Made by systemd-timesyncd when it has set the clock; the service may not call adjtimex (ProtectClock=)."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MAX_ERROR = 16_000_000
"""Microseconds of maximum error from which systemd regards a clock as unsynchronised (time-util.c)."""
_TIMEX_SIZE = 512
"""Bytes; more than `struct timex` has on any platform."""


def is_synchronized() -> bool:
    """Return whether a time service has set the clock."""
    return os.path.exists(_TIMESYNCD) or _kernel_says_so()


def boot_id() -> str:
    """Return the id of the machine's start; empty if it is unknown."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _kernel_says_so() -> bool:
    """Ask adjtimex(2), which changes nothing here."""
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    if _libc().adjtimex(timex) < 0:
        return False
    # struct timex: int modes, then long offset, freq, maxerror.
    return ctypes.c_long.from_buffer(timex, 3 * ctypes.sizeof(ctypes.c_long)).value < _MAX_ERROR


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
