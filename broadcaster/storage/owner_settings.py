"""`owner.toml` in the state folder: the settings that the owner's page has changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from broadcaster.errors import SettingsError

log = logging.getLogger(__name__)

_HEADER = "# Changed on the owner's page: above the settings file, below the command line.\n\n"
_MAX_FILE = 64 * 1024
"""Bytes that are read of the file."""


class OwnerSettings:
    """The file `owner.toml` of a state folder, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "owner.toml"

    def load(self) -> str:
        """Return the file's text; empty if there is no file. Raises `SettingsError`."""
        try:
            with self.path.open("rb") as file:
                text = file.read(_MAX_FILE + 1)
        except FileNotFoundError:
            return ""
        except OSError as error:
            hint = "; try it with sudo" if isinstance(error, PermissionError) else ""
            raise SettingsError([f"{self.path} cannot be read: {error.strerror}{hint}"]) from error
        if len(text) > _MAX_FILE:
            raise SettingsError([f"{self.path} is too large"])
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise SettingsError([f"{self.path} is not UTF-8"]) from error

    def save(self, text: str) -> None:
        """Replace the file, by writing a temporary one and renaming it; without text, remove it. Raises `OSError`."""
        if not text:
            self.path.unlink(missing_ok=True)
            return
        temporary = self.path.with_suffix(".new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_HEADER + text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    def set_aside(self, problems: tuple[str, ...]) -> None:
        """Rename a file that cannot be used, so that the daemon starts without it; log one warning."""
        aside = self.path.with_suffix(".toml.invalid")
        try:
            self.path.replace(aside)
            what = f"moved to {aside}"
        except OSError as error:
            what = f"ignored ({error.strerror})"
        log.warning("the settings of the owner's page are invalid, and %s: %s", what, "; ".join(problems))
