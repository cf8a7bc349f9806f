"""Which processes hold a device or listen on a port, as far as the one who asks may see it."""

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
    sockets: dict[str, int] = {}
    for pid, target in descriptors(root / "proc"):
        if target.startswith(_DEVICES):
            devices.setdefault(target, set()).add(read_process(pid, root / "proc"))
        elif target.startswith("socket:["):
            sockets[target[8:-1]] = pid
    ports: dict[int, set[Process]] = {}
    for port, inode in _listening(root / "proc/net"):
        ports.setdefault(port, set()).update([read_process(sockets[inode], root / "proc")] if inode in sockets else [])
    return Holders(
        {path: tuple(sorted(some, key=str)) for path, some in devices.items()},
        {port: tuple(sorted(some, key=str)) for port, some in ports.items()},
    )


def _listening(net: Path) -> Iterator[tuple[int, str]]:
    """Port and inode of every listening TCP socket (proc(5), /proc/net/tcp)."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (net / name).read_text(encoding="ascii", errors="replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTENING:
                    yield int(fields[1].rpartition(":")[2], 16), fields[9]
