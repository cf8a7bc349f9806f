"""Settings that are applied while the daemon runs: by SIGHUP, and by the owner's page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from broadcaster.errors import SettingsError
from broadcaster.settings import LayeredSettings, Settings, every_setting
from broadcaster.storage.settings_source import SettingsSource

log = logging.getLogger(__name__)

Apply = Callable[[Settings], bool]
"""Applies settings; false if that is not possible while the daemon runs."""

_SETTINGS = {setting.path: setting for setting in every_setting()}


def set_log_level(settings: Settings) -> bool:
    """Apply `log.level`."""
    logging.getLogger().setLevel(settings.log.level.upper())
    return True


class AppliedSettings:
    """`ports.SettingsControl`: applies what changes in `source`, and knows what waits for the next start."""

    def __init__(self, source: SettingsSource, actions: Sequence[tuple[tuple[str, ...], Apply]]) -> None:
        """`actions` are the settings that can be applied, and how; any other waits for the next start."""
        self._source = source
        self._actions = actions
        self._running = {path: setting.of(source.current.settings) for path, setting in _SETTINGS.items()}
        self.revision = 0

    @property
    def current(self) -> LayeredSettings:
        """The settings with which the daemon would start now."""
        return self._source.current

    @property
    def pending(self) -> tuple[str, ...]:
        """The settings that the daemon runs with another value of."""
        settings = self.current.settings
        return tuple(path for path, setting in _SETTINGS.items() if setting.of(settings) != self._running[path])

    def change(self, values: Mapping[str, object]) -> None:
        """See `ports.SettingsControl`."""
        self._source.change(values)
        self._apply()

    def reset(self) -> None:
        """See `ports.SettingsControl`."""
        self._source.reset()
        self._apply()

    def reload(self) -> None:
        """Read the settings again (SIGHUP), and apply what can be; keep the current ones if the new are invalid."""
        try:
            read = self._source.read(set_aside=True)
        except SettingsError as error:
            log.error("SIGHUP: invalid settings, keeping the current ones: %s", "; ".join(error.problems))
            return
        changed = {path for path, setting in _SETTINGS.items() if setting.of(read.settings) != self._running[path]}
        self._apply(everything=True)
        pending = self.pending
        applied = [path for path in _SETTINGS if path in changed and path not in pending]
        log.info("SIGHUP: settings reloaded; changed: %s", ", ".join(applied) or "none")
        if pending:
            log.warning("SIGHUP: these settings need a restart: %s", ", ".join(pending))

    def _apply(self, *, everything: bool = False) -> None:
        """Apply the settings that have changed; `everything` also calls the actions of those that have not."""
        settings, pending = self.current.settings, self.pending
        self.revision += 1
        for paths, apply in self._actions:
            if (everything or not set(pending).isdisjoint(paths)) and apply(settings):
                self._running |= {path: _SETTINGS[path].of(settings) for path in paths}
