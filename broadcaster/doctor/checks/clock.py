"""Whether the system clock is set and synchronised; certificates and time-limited credentials depend on it."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass

from broadcaster.auth.links import EARLIEST_CLOCK
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

_MAX_ERROR = 16_000_000
"""Microseconds of maximum error from which systemd, too, regards a clock as unsynchronised (time-util.c)."""
_TIMEX_SIZE = 512
"""Bytes; more than `struct timex` has on any platform (208 on 64-bit Linux)."""

_ABOUT = Subject("clock", "With a wrong time, TURN servers reject the credentials and browsers the certificates.")
_FIX = "Connect to the internet and turn on time synchronisation:\n  sudo timedatectl set-ntp true"


@dataclass(frozen=True, slots=True)
class ClockState:
    """The time in Unix seconds, whether it is synchronised, and whether a battery-backed clock keeps it."""

    unix: float
    synchronised: bool
    has_battery_clock: bool


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(read_clock(context.machine))]


def read_clock(machine: Machine) -> ClockState:
    """Return the state of the system clock."""
    return ClockState(time.time(), is_synchronised(), bool(machine.list_names("sys/class/rtc", "rtc*")))


def is_synchronised() -> bool:
    """Whether a time service adjusts the clock, by the criterion of `timedatectl`: adjtimex(2), read only."""
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
        return False
    # struct timex: int modes, then long offset, freq, maxerror.
    longs = ctypes.sizeof(ctypes.c_long)
    return ctypes.c_long.from_buffer(timex, 3 * longs).value < _MAX_ERROR


def evaluate(clock: ClockState) -> CheckResult:
    """Require a synchronised clock: any other drifts, or starts in the past."""
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(clock.unix))
    if clock.unix < EARLIEST_CLOCK:
        return _ABOUT.broken(f"the clock is not set: it shows {shown}", _FIX)
    battery = "" if clock.has_battery_clock else "; this machine has no battery-backed clock"
    if not clock.synchronised:
        return _ABOUT.warning(f"{shown}, but the clock is not synchronised{battery}", _FIX)
    return _ABOUT.ok(f"{shown}, synchronised{battery}")
