"""The source of the daemon's settings: all layers, read again on SIGHUP, and changed by the owner's page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from broadcaster.errors import BroadcasterError, SettingsError
from broadcaster.settings import CHANGEABLE, LayeredSettings, page_toml, read_all_layers, read_layers
from broadcaster.storage.owner_settings import OwnerSettings
from broadcaster.storage.state_file import state_folder


class SettingsSource:
    """Reads the settings file by `read_file`, which may raise `SettingsError`, and combines it with the other layers.

    `folder` is the state folder if the settings do not name one; empty: this process's. `file` is the settings file's
    path.
    """

    def __init__(
        self, read_file: Callable[[], str], assignments: Sequence[str], folder: str = "", file: str = ""
    ) -> None:
        self._read_file = read_file
        self._assignments = tuple(assignments)
        self.options = [
            *(["--settings", file] if file else []),
            *(word for one in assignments for word in ("--set", one)),
        ]
        """The options with which another command has the same settings."""
        self._folder = folder
        self._toml = ""
        self.current = LayeredSettings(read_all_layers("", "", ()).settings)

    def read(self, *, set_aside: bool = False) -> LayeredSettings:
        """Read all layers. Raises `SettingsError`, but not because of the owner's page: its layer is then left out.

        With `set_aside`, its file is renamed then.
        """
        toml = self._read_file()
        read = self._read(toml)
        if read.page_problems and set_aside:
            self._file(read).set_aside(read.page_problems)
        self._toml, self.current = toml, read
        return read

    def change(self, values: Mapping[str, object]) -> LayeredSettings:
        """Change settings by path, to a value as in TOML, or to that of the other layers (None); store the result.

        Raises `SettingsError` with all problems, and `BroadcasterError` if the file cannot be written.
        """
        problems = [
            f"{path}: {'must be a single value' if path in CHANGEABLE else 'cannot be changed by the page'}"
            for path, value in values.items()
            if path not in CHANGEABLE or not _is_single(value)
        ]
        if problems:
            raise SettingsError(problems)
        page = {path: value for path, value in {**self.current.page, **values}.items() if value is not None}
        return self._store(page)

    def reset(self) -> LayeredSettings:
        """Give all settings the values of the other layers. Raises `BroadcasterError`."""
        return self._store({})

    def _store(self, page: Mapping[str, object]) -> LayeredSettings:
        text = page_toml(page)
        changed = read_all_layers(self._toml, text, self._assignments)
        try:
            self._file(changed).save(text)
        except OSError as error:
            raise BroadcasterError(f"owner.toml cannot be written: {error.strerror}") from error
        self.current = changed
        return changed

    def _read(self, toml: str) -> LayeredSettings:
        base = read_all_layers(toml, "", self._assignments)
        try:
            page = self._file(base).load()
        except SettingsError as error:
            return replace(base, page_problems=tuple(error.problems))
        return read_layers(toml, page, self._assignments)

    def _file(self, read: LayeredSettings) -> OwnerSettings:
        return OwnerSettings(state_folder(read.settings.stream.state_dir or self._folder))


def _is_single(value: object) -> bool:
    """Return whether TOML, with its integers of 64 bits and UTF-8, can have this as a single value. None resets."""
    match value:
        case int():
            return -(2**63) <= value < 2**63
        case str():
            return not re.search("[\ud800-\udfff]", value)
        case _:
            return value is None or isinstance(value, float)
