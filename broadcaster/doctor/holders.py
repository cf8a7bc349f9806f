"""Which processes hold a device or listen on a port, as far as the one who asks may see it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DEVICES = ("/dev/video", "/dev/media", "/dev/snd/", "/dev/gpiochip")
_LISTENING = "0A"
"""TCP_LISTEN in /proc/net/tcp (net/tcp_states.h)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process, for people: `python3 (process 1234)`."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds what: processes by device, and by TCP port that they listen on.

    A port that somebody listens on whom we may not look at is known without a process.
    """

    devices: dict[str, tuple[Process, ...]]
    ports: dict[int, tuple[Process, ...]]

    def of_devices(self, *prefixes: str) -> set[Process]:
        """Who holds devices whose path starts like this."""
        return {one for path, some in self.devices.items() if path.startswith(prefixes) for one in some}


def read_holders(root: Path = Path("/")) -> Holders:
    """Look at all processes below `root`; root sees all of them, others their own."""
    devices: dict[str, set[Process]] = {}
    sockets: dict[str, Process] = {}
    for process, target in _descriptors(root / "proc"):
        if target.startswith(_DEVICES):
            devices.setdefault(target, set()).add(process)
        elif target.startswith("socket:["):
            sockets[target[8:-1]] = process
    ports: dict[int, set[Process]] = {}
    for port, inode in _listening(root / "proc/net"):
        ports.setdefault(port, set()).update([sockets[inode]] if inode in sockets else [])
    return Holders(
        {path: tuple(sorted(some, key=str)) for path, some in devices.items()},
        {port: tuple(sorted(some, key=str)) for port, some in ports.items()},
    )


def _descriptors(processes: Path) -> Iterator[tuple[Process, str]]:
    """Every open descriptor of every process that we may look at, as its target."""
    for folder in processes.glob("[0-9]*"):
        process = None
        # It may end while we look, and most are not ours to look at.
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder / "fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(entry.path)
                    process = process or Process(int(folder.name), _name(folder))
                    yield process, target


def _name(folder: Path) -> str:
    return (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()


def _listening(net: Path) -> Iterator[tuple[int, str]]:
    """Port and inode of every listening TCP socket (proc(5), /proc/net/tcp)."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (net / name).read_text(encoding="ascii", errors="replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTENING:
                    yield int(fields[1].rpartition(":")[2], 16), fields[9]
