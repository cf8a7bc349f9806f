"""Stored about push targets: their open WHIP sessions, to be deleted after a crash, and what is switched off."""

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


class PushSwitches:
    """Whether the owner has switched a push target on or off, by its name; this is above the settings."""

    def __init__(self, folder: Path) -> None:
        self._file = PrivateJson(folder / "push_switches", "which push targets are switched off")
        self._switched = {name: value for name, value in self._file.load().items() if isinstance(value, bool)}

    def get(self, target: str, setting: bool) -> bool:
        """Return whether a target is on; `setting` if the owner has not switched it."""
        return self._switched.get(target, setting)

    def store(self, target: str, enabled: bool) -> None:
        """Store that a target is switched on or off."""
        self._switched[target] = enabled
        self._file.save(self._switched)
