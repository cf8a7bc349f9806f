"""The machine's health in numbers: processor, memory, temperature, throttling and disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from broadcaster.ports import Clock

_PAGE = os.sysconf("SC_PAGE_SIZE")
_DISK_INTERVAL = 10.0
"""Seconds between two looks at the free space, which a network share may answer slowly."""

_TEMPERATURE = "sys/class/thermal/thermal_zone0/temp"
_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
"""The firmware's `vcgencmd get_throttled`, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class MachineReport:
    """Numbers of one moment; None where this machine does not tell.

    `cpu` is the part of one core that the daemon uses, `load` the part of all cores that everything uses. Memory and
    disk are in bytes: `memory` is the daemon's, the others what is free. `temperature` is in °C. `throttled` are the
    bits of `vcgencmd get_throttled`.
    """

    cpu: float
    load: float | None
    cores: int
    memory: int | None
    memory_free: int | None
    memory_total: int | None
    temperature: float | None
    throttled: int | None
    disk_free: int | None
    disk_total: int | None


class MachineStats:
    """Reads the numbers; `folder` is on the disk that counts, `root` stands in for the root of the file system."""

    def __init__(self, clock: Clock, folder: Path, root: Path = Path("/")) -> None:
        self._clock = clock
        self._folder = folder
        self._root = root
        self._cpu = (clock.monotonic(), _process_seconds())
        self._jiffies = self._read_jiffies()
        self._disk: tuple[int, int] | None = None
        self._disk_due = 0.0

    def read(self) -> MachineReport:
        """Return the numbers; those of the processor are since the last call."""
        memory = self._memory()
        disk = self._read_disk()
        temperature, throttled = self._number(_TEMPERATURE, 10), self._number(_THROTTLED, 16)
        return MachineReport(
            cpu=round(self._take_cpu(), 3),
            load=self._take_load(),
            cores=os.cpu_count() or 1,
            memory=self._own_memory(),
            memory_free=memory.get("MemAvailable"),
            memory_total=memory.get("MemTotal"),
            temperature=None if temperature is None else temperature / 1000,
            throttled=throttled,
            disk_free=disk and disk[0],
            disk_total=disk and disk[1],
        )

    def _take_cpu(self) -> float:
        (before, used), now = self._cpu, (self._clock.monotonic(), _process_seconds())
        self._cpu = now
        return (now[1] - used) / (now[0] - before) if now[0] > before else 0.0

    def _take_load(self) -> float | None:
        before, now = self._jiffies, self._read_jiffies()
        self._jiffies = now
        if before is None or now is None or now[1] <= before[1]:
            return None
        return round(1 - (now[0] - before[0]) / (now[1] - before[1]), 3)

    def _read_jiffies(self) -> tuple[int, int] | None:
        """Return idle and total time of all cores (proc_stat(5))."""
        values = self._text("proc/stat").partition("\n")[0].split()[1:]
        if len(values) < 5 or not all(map(str.isdecimal, values)):
            return None
        return int(values[3]) + int(values[4]), sum(map(int, values[:8]))

    def _memory(self) -> dict[str, int]:
        """Return the machine's memory in bytes (proc_meminfo(5))."""
        rows = (line.split() for line in self._text("proc/meminfo").splitlines())
        return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1 and row[1].isdecimal()}

    def _own_memory(self) -> int | None:
        """Return the daemon's resident memory (proc_pid_statm(5))."""
        values = self._text("proc/self/statm").split()
        return int(values[1]) * _PAGE if len(values) > 1 else None

    def _read_disk(self) -> tuple[int, int] | None:
        now = self._clock.monotonic()
        if now >= self._disk_due:
            self._disk_due = now + _DISK_INTERVAL
            try:
                usage = shutil.disk_usage(self._folder)
                self._disk = usage.free, usage.total
            except OSError:
                self._disk = None
        return self._disk

    def _number(self, path: str, base: int) -> int | None:
        try:
            return int(self._text(path), base)
        except ValueError:
            return None

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text("ascii", "replace")
        except OSError:
            return ""


def _process_seconds() -> float:
    times = os.times()
    return times.user + times.system
