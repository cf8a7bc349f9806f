"""JSON files of the state folder that only their owner can read."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_MAX_FILE = 256 * 1024
"""Bytes that are read of a file."""


class PrivateJson:
    """A JSON object in a file of mode 0600; each change replaces the file. `content` is its name in log lines."""

    def __init__(self, path: Path, content: str) -> None:
        self._path = path
        self._content = content
        self._warned = False

    def load(self) -> dict[str, object]:
        """Return the object; an empty one if the file is missing or invalid."""
        try:
            with self._path.open("rb") as file:
                stored = json.loads(file.read(_MAX_FILE))
        except (OSError, ValueError, RecursionError):
            return {}
        return stored if isinstance(stored, dict) else {}

    def save(self, value: object) -> None:
        """Write the file; an error is logged once, and not raised."""
        try:
            self._write(value)
        except OSError as error:
            if not self._warned:
                log.warning("cannot store %s (stream.state_dir): %s", self._content, error)
            self._warned = True
        else:
            self._warned = False

    def _write(self, value: object) -> None:
        """Write a temporary file and rename it, so that a crash never leaves half a file."""
        temporary = self._path.with_suffix(".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file)
        temporary.replace(self._path)
