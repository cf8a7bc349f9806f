"""Who has a device that is busy: read from /proc, as far as it shows other users' processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_LONGEST = 60
"""Characters shown of a command line."""


def holders(devices: Iterable[Path], root: Path = Path("/")) -> str:
    """Name the processes that have one of `devices`, such as "motion (process 712)"; empty if none can be seen.

    Who has locked one (libcamera locks /dev/mediaN) has it for sure; else all who have one open are named.
    """
    wanted = list(devices)
    proc = root / "proc"
    found = set(_lockers(wanted, proc)) or set(_openers(wanted, proc))
    return ", ".join(_describe(proc, process) for process in sorted(found - {os.getpid()}))


def _lockers(devices: list[Path], proc: Path) -> Iterator[int]:
    """Yield the processes with a lock, by device number and inode (proc_locks(5))."""
    inodes = set()
    for device in devices:
        try:
            status = device.stat()
        except OSError:
            continue
        inodes.add(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}")
    for line in _text(proc / "locks").splitlines():
        fields = line.replace("-> ", "").split()
        if len(fields) > 5 and fields[5] in inodes and int(fields[4]) > 0:
            yield int(fields[4])


def _openers(devices: list[Path], proc: Path) -> Iterator[int]:
    names = {str(device) for device in devices}
    for folder in proc.glob("[0-9]*"):
        try:
            if not names.isdisjoint(os.readlink(link) for link in (folder / "fd").iterdir()):
                yield int(folder.name)
        except OSError:
            continue  # gone meanwhile, or another user's


def _describe(proc: Path, process: int) -> str:
    """Return a process's command line and number; only the number where it is not ours to see."""
    command = " ".join(_text(proc / str(process) / "cmdline").split("\0")).strip()
    shown = "".join(character if character.isprintable() else "?" for character in command[:_LONGEST])
    return f"{shown} (process {process})" if shown else f"process {process}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
