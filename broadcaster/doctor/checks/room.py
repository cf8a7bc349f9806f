"""Free memory, free disk, and the folder in which the daemon remembers its state."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.checks.board import in_words
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.storage.state_file import state_folder

NEEDED = 150_000_000
"""Bytes: what the daemon takes with software encoding and some viewers (README, measured), and a little air."""
TIGHT = 60_000_000
"""Bytes that should be left beside a running daemon."""
DISK_TIGHT, DISK_FULL = 200_000_000, 5_000_000
"""Bytes: an update with its packages, and some lines of a journal."""

_MEMORY = Subject("memory", "When it is used up, the kernel ends programs: this one, or the camera's.")
_DISK = Subject("disk", "Here the daemon remembers whether it was on air; a full card stops updates and logs.")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of memory (available, and of the camera's contiguous part: 0 if there is none), and of disk."""

    memory: int
    cma: int
    disk: int
    folder: str
    writable: bool


def probe(case: CheckContext) -> list[CheckResult]:
    """Both lines."""
    room = read_room(case.machine, state_folder(case.settings.stream.state_dir))
    return [evaluate_memory(room, running=case.running is not None), evaluate_disk(room, case.account.name)]


def read_room(machine: Machine, folder: Path) -> Room:
    """Ask the kernel; of a folder that is not there yet, its nearest parent counts."""
    amounts = dict(line.split(":", 1) for line in machine.text("proc/meminfo").splitlines() if ":" in line)
    there = next(parent for parent in (folder, *folder.absolute().parents) if os.path.exists(parent))
    return Room(
        memory=_bytes(amounts.get("MemAvailable", "0")),
        cma=_bytes(amounts.get("CmaFree", "0")),
        disk=shutil.disk_usage(there).free,
        folder=str(folder),
        writable=os.access(there, os.W_OK | os.X_OK),
    )


def evaluate_memory(room: Room, *, running: bool) -> CheckResult:
    """What is needed depends on whether the daemon has taken its part already."""
    found = f"{in_words(room.memory)} free" + (f"; {in_words(room.cma)} for the camera (CMA)" if room.cma else "")
    if room.memory < (TIGHT if running else NEEDED):
        return _MEMORY.warning(
            found,
            "End what is not needed, the desktop first:\n  sudo systemctl set-default multi-user.target\n  sudo reboot",
        )
    return _MEMORY.ok(found)


def evaluate_disk(room: Room, user: str) -> CheckResult:
    """Space, and the right to write."""
    found = f"{in_words(room.disk)} free"
    if not room.writable:
        fix = f"Make it this user's:\n  sudo install -d -o {user} {room.folder}"
        return _DISK.warning(f"user {user} cannot write {room.folder}", fix)
    if room.disk < DISK_FULL:
        return _DISK.broken(found, "Make room:\n  sudo apt clean\n  sudo journalctl --vacuum-size=50M")
    if room.disk < DISK_TIGHT:
        return _DISK.warning(found, "Make room:\n  sudo apt clean\n  sudo journalctl --vacuum-size=50M")
    return _DISK.ok(found)


def _bytes(amount: str) -> int:
    number = amount.split(maxsplit=1)[0]
    return int(number) * 1024 if number.isdigit() else 0  # proc(5): "kB" there means 1024 bytes
