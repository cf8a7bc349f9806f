"""The facts that all checks start with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broadcaster.devices.board import Board
from broadcaster.doctor.account import Account
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import ServiceUnit
from broadcaster.sandbox import Hidden
from broadcaster.service.daemon_client import DaemonClient, NoDaemon, Refused, operator_token
from broadcaster.settings import Settings, WebSettings
from broadcaster.settings.paths import absolute
from broadcaster.storage.state_file import state_folder

_PRIVATE_FIELDS = {
    "source": "",
    "encoder": "",
    "audio_source": "",
    "width": 0,
    "height": 0,
    "fps": 0,
    "pictures": 0,
    "viewers": 0,
}
"""Defaults of the fields that a private daemon shows only to its operator."""
_STATES_WITH_DEVICES = ("starting", "live", "stopping", "failed")
"""States in which the daemon has camera and microphone open, or tries to open them."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The answer of the daemon on our port to `GET /api/status`.

    A private daemon shows only its state to clients that are not the operator. `problem` is why the stream has failed,
    in words.
    """

    state: str
    reason: str
    sound: str
    source: str
    encoder: str
    audio_source: str
    width: int
    height: int
    fps: float
    pictures: int
    viewers: int
    problem: str = ""

    @property
    def holds_devices(self) -> bool:
        """Whether camera and microphone are open, or about to be opened or closed."""
        return self.state in _STATES_WITH_DEVICES


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Machine, settings, user, and the daemon that runs already.

    `settings_file` is empty if there is none. `problems` are the errors in the settings; if there are any, `settings`
    are the defaults. `running` is None if no daemon answers. `page_addresses` returns the page's addresses for the web
    settings and a port.
    """

    machine: Machine
    board: Board
    settings: Settings
    settings_file: str
    problems: tuple[str, ...]
    account: Account
    service: ServiceUnit
    running: DaemonStatus | None
    holders: Holders
    page_addresses: Callable[[WebSettings, int], list[str]]

    @property
    def device_owner(self) -> DaemonStatus | None:
        """The running daemon if it holds the devices, else None."""
        return self.running if self.running is not None and self.running.holds_devices else None

    def hides(self, path: str) -> Hidden | None:
        """Return what hides a configured file from the service; None if nothing does, or it has other settings."""
        is_services = self.service.installed and self.settings_file == self.service.settings_file
        return self.service.hides(os.path.realpath(absolute(path))) if is_services and path else None

    def query_daemon(self) -> DaemonStatus | None:
        """Return the current status of the daemon."""
        return query_daemon(self.settings)


def query_daemon(settings: Settings) -> DaemonStatus | None:
    """Return the status of the daemon that runs with these settings, queried as its operator; None without one."""
    return query_status(settings.web, operator_token(settings.web, state_folder(settings.stream.state_dir)))


def query_status(settings: WebSettings, token: str = "") -> DaemonStatus | None:
    """Query the program on our port with the operator's `token`; None if there is none or it is no broadcaster."""
    try:
        return parse_status(DaemonClient(settings, token).status())
    except (NoDaemon, Refused):
        return None


def parse_status(status: Any) -> DaemonStatus | None:
    """Parse an answer to `GET /api/status`; None if it is not one of a broadcaster."""
    try:
        stream = status["stream"]
        fields = _PRIVATE_FIELDS | status if status.get("private") is True else status
        return DaemonStatus(
            state=str(stream["state"]),
            reason=str(stream.get("reason") or ""),
            sound=str(stream.get("sound") or ""),
            source=str(fields["source"]),
            encoder=str(fields["encoder"]),
            audio_source=str(fields["audio_source"]),
            width=int(fields["width"]),
            height=int(fields["height"]),
            fps=float(fields["fps"]),
            pictures=int(fields["pictures"]),
            viewers=int(fields["viewers"]),
            problem=str(fields.get("problem") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
