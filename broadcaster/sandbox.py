"""Folders that systemd's sandbox hides from the service (systemd.exec(5)).

The kernel's errors are misleading there: with `ProtectHome=`, a file in a home directory gives "Permission denied",
and with `PrivateTmp=`, one in /tmp does not exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILMS = "/var/lib/broadcaster/films"
"""The folder for films; `make install` creates it."""

DISK_FOLDERS = ("/media", "/mnt", "/run/media")
"""Folders in which disks are mounted (hier(7), udisks(8))."""

_MOUNTS = Path("/proc/self/mountinfo")
_OPTIONS = {"/systemd/inaccessible/": "ProtectHome", "systemd-private-": "PrivateTmp"}
"""The unit's option for a part of the root of a mount."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A folder that the service does not see, and the option of its unit that hides it."""

    folder: str
    option: str

    def __str__(self) -> str:
        return f"the service does not see {self.folder} ({self.option}=); it sees {FILMS}"


def hint(path: str) -> str:
    """Return a text to append to an error about `path` if this process is the service and cannot see it; else empty."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    hidden = hidden_by_mounts(os.path.realpath(path), mounts)
    return f": {hidden}" if hidden else ""


def hidden_by_mounts(path: str, mounts: Iterable[str]) -> Hidden | None:
    """Return what hides an absolute path, from the lines of `/proc/pid/mountinfo` (proc(5)); None if nothing does."""
    fields = [line.split() for line in mounts]
    roots = {mount[4]: mount[3] for mount in fields if len(mount) > 4 and contains(mount[4], path)}
    if not roots:
        return None
    folder = max(roots, key=len)
    option = next((option for part, option in _OPTIONS.items() if part in roots[folder]), None)
    return None if option is None else Hidden(folder, option)


def contains(folder: str, path: str) -> bool:
    """Return whether an absolute path is `folder` or lies in it."""
    return os.path.commonpath((folder, path)) == folder


def disk_folder_of(path: str) -> str | None:
    """Return the folder of `DISK_FOLDERS` that contains an absolute path; None if none of them does."""
    return next((folder for folder in DISK_FOLDERS if contains(folder, path)), None)


def writable(folder: str) -> str:
    """Return the path that the unit must make writable so that the service can write to an absolute folder.

    For a disk, that is the folder in which disks are mounted: a mount of its own within a disk would keep the service
    from seeing that the disk is removed, and from seeing it again.
    """
    return disk_folder_of(folder) or folder


def drop_in(folder: str) -> str:
    """Return a drop-in of the unit (systemd.unit(5)) that lets the service write to an absolute folder."""
    escaped = writable(folder).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'[Service]\nReadWritePaths="-{escaped}"\n'
