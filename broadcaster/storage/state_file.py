"""State files: whether the stream should be live, and whether its audio is muted, across restarts."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from broadcaster.settings.paths import expand

log = logging.getLogger(__name__)

_CONTENTS = {"wish": ("offline\n", "live\n"), "sound": ("on\n", "muted\n")}
"""The content for false and for true, by file name."""

WITHOUT_HOME = Path("/var/lib/broadcaster")
"""The state folder of a user without a home directory, as in a container (`docker run --user 1234`)."""


def state_folder(setting: str) -> Path:
    """Return the state folder: `stream.state_dir`, else systemd's, else the user's (XDG Base Directory).

    It is absolute, because lgpio changes the working directory.
    """
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    chosen = setting or os.environ.get("STATE_DIRECTORY", "").split(":")[0] or f"{base}/broadcaster"
    folder = expand(chosen)
    return WITHOUT_HOME if folder.startswith("~") else Path(folder).absolute()


class StateFile:
    """A boolean in a file of the state folder.

    `name` is `wish` (the desired state: whether to be live) or `sound` (whether the audio is muted).
    """

    def __init__(self, folder: Path, name: str = "wish") -> None:
        self._path = folder / name
        self._contents = _CONTENTS[name]
        self._warned = False

    def load(self) -> bool:
        """Return the stored value; False when the file is missing or unreadable."""
        try:
            return self._path.read_text(encoding="ascii", errors="replace") == self._contents[True]
        except OSError:
            return False

    def save(self, value: bool) -> None:
        """Store the value, by writing a temporary file and renaming it, so that a crash never leaves half a file.

        A write error is logged once until a write succeeds, and never raised.
        """
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(self._contents[value], encoding="ascii")
            temporary.replace(self._path)
        except OSError as error:
            if not self._warned:
                log.warning(
                    "cannot store %r for the next start (stream.state_dir): %s", self._contents[value].strip(), error
                )
            self._warned = True
        else:
            self._warned = False
