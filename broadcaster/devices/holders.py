"""Processes that have a device open, from /proc; and the command that permits the daemon to open it."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `name` is the kernel's name of its program (proc_pid_comm(5)), empty where it is not readable."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})" if self.name else f"process {self.pid}"


def read_process(pid: int, proc: Path = Path("/proc")) -> Process:
    """Return the process with this id and its name."""
    name = read_text(proc / str(pid) / "comm")
    return Process(pid, "".join(character if character.isprintable() else "?" for character in name))


def descriptors(proc: Path = Path("/proc")) -> Iterator[tuple[int, str]]:
    """Yield process id and target of every open file descriptor of every process that may be inspected."""
    for folder in proc.glob("[0-9]*"):
        # The process may end meanwhile, and those of other users may not be inspected.
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder / "fd"):
                with contextlib.suppress(OSError):
                    yield int(folder.name), os.readlink(entry.path)


def holders(devices: Iterable[Path], root: Path = Path("/")) -> str:
    """Name the other processes that have one of `devices`, such as "motion (process 712)"; empty if none can be seen.

    A process that holds a lock (libcamera locks /dev/mediaN) certainly uses the device; without locks, all processes
    with an open descriptor are named.
    """
    paths, proc = list(devices), root / "proc"
    names = set(map(str, paths))
    pids = set(_lock_holders(paths, proc)) or {pid for pid, target in descriptors(proc) if target in names}
    return ", ".join(str(read_process(pid, proc)) for pid in sorted(pids - {os.getpid()}))


def _lock_holders(devices: list[Path], proc: Path) -> Iterator[int]:
    """Yield the ids of processes with a lock on one of `devices`, by device number and inode (proc_locks(5))."""
    inodes = set()
    for device in devices:
        with contextlib.suppress(OSError):
            status = device.stat()
            inodes.add(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}")
    for line in read_text(proc / "locks").splitlines():
        fields = line.replace("-> ", "").split()
        if len(fields) > 5 and fields[5] in inodes and int(fields[4]) > 0:
            yield int(fields[4])


def read_text(path: Path) -> str:
    """Return the text of a file without trailing NUL (device tree) or newline; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def usermod_command(group: str) -> str:
    """Return the command that adds the current user to `group`, for error texts."""
    number = os.geteuid()
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = str(number)
    return f"sudo usermod --append --groups {group} {user}, then restart the daemon"
