"""What the sandbox of systemd hides from the service (systemd.exec(5)): as sentences, because the kernel's mislead.

With `ProtectHome=` a file in a home directory is "Permission denied", with `PrivateTmp=` one in /tmp does not exist.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILMS = "/var/lib/broadcaster/films"
"""The folder for films that `make install` makes."""

_MOUNTS = Path("/proc/self/mountinfo")
_MARKS = {"/systemd/inaccessible/": "ProtectHome", "systemd-private-": "PrivateTmp"}
"""What the roots of systemd's mounts contain."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A folder that the service does not see, and the option of its unit that hides it."""

    folder: str
    option: str

    def __str__(self) -> str:
        return f"the service does not see {self.folder} ({self.option}=); it sees {FILMS}"


def hint(path: str) -> str:
    """Return what to append to an error about `path` if this process is the service, and does not see its folder."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    hidden = hidden_by_mounts(os.path.realpath(path), mounts)
    return f": {hidden}" if hidden else ""


def hidden_by_mounts(path: str, mounts: Iterable[str]) -> Hidden | None:
    """Return what hides an absolute path, by the lines of proc(5), `/proc/pid/mountinfo`."""
    fields = [line.split() for line in mounts]
    roots = {mount[4]: mount[3] for mount in fields if len(mount) > 4 and contains(mount[4], path)}
    if not roots:
        return None
    folder = max(roots, key=len)
    option = next((option for mark, option in _MARKS.items() if mark in roots[folder]), None)
    return None if option is None else Hidden(folder, option)


def contains(folder: str, path: str) -> bool:
    """Whether an absolute path is that folder or lies in it."""
    return os.path.commonpath((folder, path)) == folder
