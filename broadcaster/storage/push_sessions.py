"""The WHIP sessions that push targets have open, so that they can be deleted after a crash."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_MAX_FILE = 64 * 1024
"""Bytes that are read of the file."""


class PushSessions:
    """URLs of sessions by the name of the target, in a file that only its owner can read: each URL is a capability."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "push_sessions"
        self._sessions = self._load()
        self._warned = False

    def get(self, target: str) -> str:
        """Return the session that a target has left; empty if there is none."""
        return self._sessions.get(target, "")

    def store(self, target: str, session: str) -> None:
        """Store the session of a target."""
        self._sessions[target] = session
        self._save()

    def forget(self, target: str, session: str) -> None:
        """Store that this session of a target is over, unless it has another one by now."""
        if self.get(target) == session:
            del self._sessions[target]
            self._save()

    def _save(self) -> None:
        """Write the file; an error is logged once, and not raised."""
        try:
            self._write()
        except OSError as error:
            if not self._warned:
                log.warning("cannot store the sessions of push targets (stream.state_dir): %s", error)
            self._warned = True

    def _load(self) -> dict[str, str]:
        try:
            with self._path.open("rb") as file:
                stored = json.loads(file.read(_MAX_FILE))
        except (OSError, ValueError, RecursionError):
            return {}
        items = stored.items() if isinstance(stored, dict) else ()
        return {target: session for target, session in items if isinstance(session, str)}

    def _write(self) -> None:
        """Write a temporary file and rename it, so that a crash never leaves half a file."""
        temporary = self._path.with_suffix(".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._sessions, file)
        temporary.replace(self._path)
