"""The machine that is checked: files below a root folder, and commands with a time limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_text

COMMAND_TIMEOUT = 5.0
"""Seconds for a command; the slowest asks systemd over D-Bus, which takes less than one on a Zero 2 W."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Searched after $PATH: `iw` is in an sbin folder, which an ordinary user's $PATH lacks."""


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine, or a folder that stands in for its root."""

    root: Path = Path("/")

    def read_text(self, path: str) -> str:
        """Return the text of a file below the root without its last newline or NUL; empty if it cannot be read."""
        return read_text(self.root / path)

    def list_names(self, folder: str, pattern: str = "*") -> list[str]:
        """Return the sorted names in a folder below the root; empty if the folder does not exist."""
        with contextlib.suppress(OSError):
            return sorted(path.name for path in (self.root / folder).glob(pattern))
        return []

    def has_command(self, name: str) -> bool:
        """Whether a command is installed."""
        return _find_program(name) is not None

    def run(self, *command: str) -> str | None:
        """Return the output of a command; None if it is not installed, fails, or does not end in time."""
        program = _find_program(command[0])
        return None if program is None else _output_of([program, *command[1:]])


def _find_program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


def _output_of(command: Sequence[str]) -> str | None:
    """Return what `command` prints, stripped; None if it fails or does not end in time."""
    try:
        completed = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            text=True,
            errors="replace",
            env=os.environ | {"LC_ALL": "C", "SYSTEMD_PAGER": "cat"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return completed.stdout.strip() if completed.returncode == 0 else None
