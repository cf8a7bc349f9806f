"""The machine as the checks see it: its files below a root, and its commands, each within a time limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_text

COMMAND_LIMIT = 5.0
"""Seconds that a command may take; the slowest asks systemd over D-Bus, on a Zero 2 W within one."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for besides $PATH: `iw` lives in sbin, which users do not have there."""


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, or a tree that stands in for one."""

    root: Path = Path("/")

    def text(self, path: str) -> str:
        """The text of a file below the root without what ends it; empty if it cannot be read."""
        return read_text(self.root / path)

    def names(self, folder: str, pattern: str = "*") -> list[str]:
        """What is in a folder below the root, by name; nothing if there is none."""
        with contextlib.suppress(OSError):
            return sorted(path.name for path in (self.root / folder).glob(pattern))
        return []

    def has(self, command: str) -> bool:
        """Whether there is such a command."""
        return find_program(command) is not None

    def run(self, *command: str) -> str | None:
        """What a command prints; None if there is no such command, if it fails, or does not end in time."""
        program = find_program(command[0])
        return None if program is None else output([program, *command[1:]])


def find_program(name: str) -> str | None:
    """The path of a program, or None."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PATH}")


def output(command: Sequence[str]) -> str | None:
    """What `command` prints, without the newlines around it; None if it fails or does not end in time."""
    environment = os.environ | {"LC_ALL": "C", "SYSTEMD_PAGER": "cat"}
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_LIMIT,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None
