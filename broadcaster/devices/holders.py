"""Which processes have something open, and who has a busy device: read from /proc, as far as it shows other users'.

Processes are told by name and number, never by their command lines: those may hold passwords, and others read the log.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.texts import read_text


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `name` is the kernel's for its program (proc_pid_comm(5)), empty where that is hidden from us."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})" if self.name else f"process {self.pid}"


def read_process(pid: int, proc: Path = Path("/proc")) -> Process:
    """Return the process of that number by its name."""
    name = read_text(proc / str(pid) / "comm")
    return Process(pid, "".join(character if character.isprintable() else "?" for character in name))


def descriptors(proc: Path = Path("/proc")) -> Iterator[tuple[int, str]]:
    """Yield what every process that we may look at has open: its number and, for each descriptor, the target."""
    for folder in proc.glob("[0-9]*"):
        # It may end while we look, and most are not ours to look at.
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder / "fd"):
                with contextlib.suppress(OSError):
                    yield int(folder.name), os.readlink(entry.path)


def holders(devices: Iterable[Path], root: Path = Path("/")) -> str:
    """Name the other processes that have one of `devices`, such as "motion (process 712)"; empty if none can be seen.

    Who has locked one (libcamera locks /dev/mediaN) has it for sure; else all who have one open are named.
    """
    wanted, proc = list(devices), root / "proc"
    names = set(map(str, wanted))
    found = set(_lockers(wanted, proc)) or {pid for pid, target in descriptors(proc) if target in names}
    return ", ".join(str(read_process(pid, proc)) for pid in sorted(found - {os.getpid()}))


def _lockers(devices: list[Path], proc: Path) -> Iterator[int]:
    """Yield the processes with a lock, by device number and inode (proc_locks(5))."""
    inodes = set()
    for device in devices:
        with contextlib.suppress(OSError):
            status = device.stat()
            inodes.add(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}")
    for line in read_text(proc / "locks").splitlines():
        fields = line.replace("-> ", "").split()
        if len(fields) > 5 and fields[5] in inodes and int(fields[4]) > 0:
            yield int(fields[4])
