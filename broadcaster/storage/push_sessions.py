"""The WHIP sessions that push targets have open, so that they can be deleted after a crash."""

from __future__ import annotations

from pathlib import Path

from broadcaster.storage.private_json import PrivateJson


class PushSessions:
    """URLs of sessions by the name of the target, in a file that only its owner can read: each URL is a capability."""

    def __init__(self, folder: Path) -> None:
        self._file = PrivateJson(folder / "push_sessions", "the sessions of push targets")
        stored = self._file.load().items()
        self._sessions = {target: session for target, session in stored if isinstance(session, str)}

    def get(self, target: str) -> str:
        """Return the session that a target has left; empty if there is none."""
        return self._sessions.get(target, "")

    def store(self, target: str, session: str) -> None:
        """Store the session of a target."""
        self._sessions[target] = session
        self._file.save(self._sessions)

    def forget(self, target: str, session: str) -> None:
        """Store that this session of a target is over, unless it has another one by now."""
        if self.get(target) == session:
            del self._sessions[target]
            self._file.save(self._sessions)
