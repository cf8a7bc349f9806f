"""The daemon that a command talks to: the one with the given settings, else the service, else one with defaults."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import read_service
from broadcaster.service.daemon_client import DaemonClient, operator_token
from broadcaster.settings import Settings
from broadcaster.storage.secrets import SecretFile, state_secrets
from broadcaster.storage.state_file import state_folder


@dataclass(frozen=True, slots=True)
class Target:
    """A daemon: its settings and state folder, and whether it is the systemd service."""

    settings: Settings
    state: Path
    is_service: bool

    @property
    def client(self) -> DaemonClient:
        """A client for its HTTP API."""
        return DaemonClient(self.settings.web, operator_token(self.settings.web, self.state))

    @property
    def link_key(self) -> SecretFile:
        """The key that signs its viewer links."""
        return state_secrets(self.state).link_key


def find_target(file: str, read: Callable[[str], Settings]) -> Target:
    """Return the daemon with the settings in `file`; if empty, the service, or defaults if none is installed.

    `read` returns the settings of a file (none for "") combined with those of the command line. Raises
    `SettingsError`.
    """
    unit = read_service(Machine())
    file = file or unit.settings_file
    is_service = bool(file) and os.path.abspath(file) == unit.settings_file
    settings = read(file)
    folder = settings.stream.state_dir or (unit.state_folder if is_service else "")
    return Target(settings, state_folder(folder), is_service)
