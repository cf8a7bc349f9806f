"""Resources of a process, from /proc (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of a process in MB, and its numbers of descriptors, sockets and threads."""

    memory: float
    descriptors: int
    sockets: int
    threads: int


def footprint(pid: int) -> Footprint:
    """Return the footprint of a process of the same user."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    links = [_link(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return Footprint(
        memory=int(fields["VmRSS"].split()[0]) / 1000,
        descriptors=len(links),
        sockets=sum(link.startswith("socket:") for link in links),
        threads=int(fields["Threads"]),
    )


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def udp_overflows() -> int:
    """Return the number of UDP packets that the kernel has dropped at full receive buffers, on the whole machine."""
    columns = [line.split() for line in Path("/proc/net/snmp").read_text("ascii").splitlines() if line[:4] == "Udp:"]
    version_4 = dict(zip(*columns, strict=True))["RcvbufErrors"]
    version_6 = dict(line.split() for line in Path("/proc/net/snmp6").read_text("ascii").splitlines())
    return int(version_4) + int(version_6.get("Udp6RcvbufErrors", 0))


def _link(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except OSError:
        return ""
