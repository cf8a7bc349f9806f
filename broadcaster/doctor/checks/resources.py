"""Free memory, free disk space, and the daemon's state folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.checks.board import format_size
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.storage.state_file import state_folder

MIN_MEMORY = 150_000_000
"""Bytes that the daemon needs with software encoding and some viewers (README, measured), and a reserve."""
MIN_MEMORY_RUNNING = 60_000_000
"""Bytes that should be left while the daemon runs."""
LOW_DISK, FULL_DISK = 200_000_000, 5_000_000
"""Bytes: the first is the size of an update with its packages, the second that of some lines of a journal."""

_MEMORY = Subject("memory", "When memory runs out, the kernel kills a process, perhaps the broadcaster.")
_DISK = Subject("disk", "The daemon saves here whether it was live; a full card also stops updates and logs.")


@dataclass(frozen=True, slots=True)
class Resources:
    """Bytes of available memory, of free contiguous memory for the camera (0: there is none) and of free disk space.

    `writable`: this user may write to the state folder `folder`, or create it.
    """

    memory: int
    cma: int
    disk: int
    folder: str
    writable: bool


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for memory and disk."""
    resources = read_resources(context.machine, state_folder(context.settings.stream.state_dir))
    running = context.running is not None
    return [evaluate_memory(resources, running=running), evaluate_disk(resources, context.account.name)]


def read_resources(machine: Machine, folder: Path) -> Resources:
    """Query the kernel; if the state folder does not exist yet, its nearest existing parent counts."""
    amounts = dict(line.split(":", 1) for line in machine.read_text("proc/meminfo").splitlines() if ":" in line)
    existing = next(parent for parent in (folder, *folder.absolute().parents) if os.path.exists(parent))
    return Resources(
        memory=_parse_bytes(amounts.get("MemAvailable", "0")),
        cma=_parse_bytes(amounts.get("CmaFree", "0")),
        disk=shutil.disk_usage(existing).free,
        folder=str(folder),
        writable=os.access(existing, os.W_OK | os.X_OK),
    )


def evaluate_memory(resources: Resources, *, running: bool) -> CheckResult:
    """Require free memory; how much depends on whether the daemon has already allocated its own."""
    cma = f"; {format_size(resources.cma)} for the camera (CMA)" if resources.cma else ""
    amount = format_size(resources.memory)
    if resources.memory < (MIN_MEMORY_RUNNING if running else MIN_MEMORY):
        fix = (
            "Stop what is not needed, above all the desktop:\n"
            "  sudo systemctl set-default multi-user.target\n  sudo reboot"
        )
        return _MEMORY.warning(f"only {amount} free{cma}", fix)
    return _MEMORY.ok(f"{amount} free{cma}")


def evaluate_disk(resources: Resources, user: str) -> CheckResult:
    """Require free space and a writable state folder."""
    amount = format_size(resources.disk)
    if not resources.writable:
        fix = f"Make the user the owner of the folder:\n  sudo install -d -o {user} {resources.folder}"
        return _DISK.warning(f"user {user} cannot write to {resources.folder}", fix)
    clean = "Free some space:\n  sudo apt clean\n  sudo journalctl --vacuum-size=50M"
    if resources.disk < FULL_DISK:
        return _DISK.broken(f"the disk is full: only {amount} free", clean)
    if resources.disk < LOW_DISK:
        return _DISK.warning(f"the disk is nearly full: only {amount} free", clean)
    return _DISK.ok(f"{amount} free")


def _parse_bytes(amount: str) -> int:
    number = amount.split(maxsplit=1)[0]
    return int(number) * 1024 if number.isdigit() else 0  # proc(5): "kB" there means 1024 bytes
