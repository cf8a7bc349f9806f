"""Whether the time is known: without it certificates and time-limited credentials fail."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass

from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

CLOCK_IS_SET = 1_735_689_600
"""The first second of 2025 (UTC): a board without a clock battery starts somewhere before."""
_MOST_ERROR = 16_000_000
"""Microseconds of possible error, from which on systemd too takes a clock for unsynchronised (time-util.c)."""
_TIMEX_SIZE = 512
"""Bytes: more than `struct timex` has anywhere (208 on 64-bit Linux)."""

_ABOUT = Subject("clock", "With a wrong time, TURN servers refuse the credentials, and browsers certificates.")
_FIX = "Connect it to the internet and let it ask the time:\n  sudo timedatectl set-ntp true"


@dataclass(frozen=True, slots=True)
class Time:
    """Unix seconds, whether they come from others, and whether a battery keeps them."""

    unix: float
    synchronised: bool
    has_battery_clock: bool


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(read_time(case.machine))]


def read_time(machine: Machine) -> Time:
    """Ask the kernel."""
    return Time(time.time(), is_synchronised(), bool(machine.names("sys/class/rtc", "rtc*")))


def is_synchronised() -> bool:
    """Whether something sets this clock by others, as `timedatectl` has it too: adjtimex(2), reading only."""
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
        return False
    # struct timex: int modes, then long offset, freq, maxerror.
    longs = ctypes.sizeof(ctypes.c_long)
    return ctypes.c_long.from_buffer(timex, 3 * longs).value < _MOST_ERROR


def evaluate(now: Time) -> CheckResult:
    """Set by others is right; all else drifts or starts in the past."""
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now.unix))
    if now.unix < CLOCK_IS_SET:
        return _ABOUT.broken(f"not set: it says {shown}", _FIX)
    battery = "" if now.has_battery_clock else "; no clock that runs without power"
    if not now.synchronised:
        return _ABOUT.warning(f"{shown}, not synchronised{battery}", _FIX)
    return _ABOUT.ok(f"{shown}, synchronised{battery}")
