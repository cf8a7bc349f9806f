"""Processes that have a device open or listen on a port, as far as this user may inspect them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import Process, descriptors, read_process

_DEVICES = ("/dev/video", "/dev/media", "/dev/snd/", "/dev/gpiochip")
_LISTENING = "0A"
"""TCP_LISTEN in /proc/net/tcp (net/tcp_states.h)."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Processes by the path of the device that they have open, and by the TCP port that they listen on.

    A port whose process may not be inspected has an empty tuple.
    """

    devices: dict[str, tuple[Process, ...]]
    ports: dict[int, tuple[Process, ...]]

    def of_devices(self, *prefixes: str) -> set[Process]:
        """Return the processes that hold devices whose path starts with one of `prefixes`."""
        return {
            process for path, processes in self.devices.items() if path.startswith(prefixes) for process in processes
        }


def read_holders(root: Path = Path("/")) -> Holders:
    """Inspect the processes below `root`; root sees all of them, other users only their own."""
    devices: dict[str, set[Process]] = {}
    sockets: dict[str, int] = {}
    for pid, target in descriptors(root / "proc"):
        if target.startswith(_DEVICES):
            devices.setdefault(target, set()).add(read_process(pid, root / "proc"))
        elif target.startswith("socket:["):
            sockets[target[8:-1]] = pid
    ports: dict[int, set[Process]] = {}
    for port, inode in _listening_sockets(root / "proc/net"):
        ports.setdefault(port, set()).update([read_process(sockets[inode], root / "proc")] if inode in sockets else [])
    return Holders(
        {path: tuple(sorted(processes, key=str)) for path, processes in devices.items()},
        {port: tuple(sorted(processes, key=str)) for port, processes in ports.items()},
    )


def _listening_sockets(net: Path) -> Iterator[tuple[int, str]]:
    """Yield port and inode of every listening TCP socket (proc(5), /proc/net/tcp)."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (net / name).read_text(encoding="ascii", errors="replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTENING:
                    yield int(fields[1].rpartition(":")[2], 16), fields[9]
