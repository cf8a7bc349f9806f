"""Remembers across restarts whether the owner wants to be on air."""

from __future__ import annotations

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_WORDS = {True: "live\n", False: "offline\n"}


def state_folder(setting: str) -> Path:
    """Where the daemon keeps what it must remember: as set, or systemd's folder, or the user's."""
    chosen = setting or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "broadcaster"


class WishFile:
    """One word in a file of the state folder; a disk that cannot be written never stops the show."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "wish"
        self._warned = False

    def load(self) -> bool:
        """Whether the last wish was to be live; false when there is none to be read."""
        try:
            return self._path.read_text(encoding="ascii", errors="replace") == _WORDS[True]
        except OSError:
            return False

    def save(self, live: bool) -> None:
        """Keep the wish, by a temporary file and a rename, so that no crash leaves half of it."""
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(_WORDS[live], encoding="ascii")
            temporary.replace(self._path)
        except OSError as error:
            if not self._warned:
                log.warning("cannot remember whether to be live after a restart: %s", error)
            self._warned = True
        else:
            self._warned = False
