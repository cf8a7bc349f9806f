"""Remembers across restarts whether the owner wants to be on air, and to be heard."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from broadcaster.settings.paths import expand

log = logging.getLogger(__name__)

_WORDS = {"wish": ("offline\n", "live\n"), "sound": ("on\n", "muted\n")}


WITHOUT_HOME = Path("/var/lib/broadcaster")
"""The state folder of a user without a home directory, as in a container (`docker run --user 1234`)."""


def state_folder(setting: str) -> Path:
    """Where the daemon keeps what it must remember: as set, or systemd's folder, or the user's."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    chosen = setting or os.environ.get("STATE_DIRECTORY", "").split(":")[0] or f"{base}/broadcaster"
    folder = expand(chosen)
    return WITHOUT_HOME if folder.startswith("~") else Path(folder)


class StateFile:
    """One word in a file of the state folder; a disk that cannot be written never stops the show.

    `name` is the wish: `wish` itself, whether to be live, or `sound`, whether it is muted.
    """

    def __init__(self, folder: Path, name: str = "wish") -> None:
        self._path = folder / name
        self._words = _WORDS[name]
        self._warned = False

    def load(self) -> bool:
        """What was wished last; false when there is nothing to be read."""
        try:
            return self._path.read_text(encoding="ascii", errors="replace") == self._words[True]
        except OSError:
            return False

    def save(self, wish: bool) -> None:
        """Keep the wish, by a temporary file and a rename, so that no crash leaves half of it."""
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(self._words[wish], encoding="ascii")
            temporary.replace(self._path)
        except OSError as error:
            if not self._warned:
                log.warning("%s is not kept across restarts (stream.state_dir): %s", self._words[wish].strip(), error)
            self._warned = True
        else:
            self._warned = False
