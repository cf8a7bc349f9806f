"""What all checks know when they begin."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broadcaster.devices.board import Board
from broadcaster.doctor.account import Account
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import Service
from broadcaster.sandbox import Hidden
from broadcaster.service.daemon_client import DaemonClient, NoDaemon, Refused, operator_token
from broadcaster.settings import Settings, WebSettings
from broadcaster.settings.paths import absolute
from broadcaster.storage.state_file import state_folder

_HIDDEN = {
    "source": "",
    "encoder": "",
    "audio_source": "",
    "width": 0,
    "height": 0,
    "fps": 0,
    "pictures": 0,
    "viewers": 0,
}
"""What a private daemon does not tell strangers."""
_ON_AIR = ("starting", "live", "stopping", "failed")
"""States in which the daemon holds camera and microphone, or tries to."""


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that answers on our port, as `GET /api/status` shows it; of a private one, a stranger sees the state."""

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

    @property
    def holds_devices(self) -> bool:
        """Whether camera and microphone are open, or about to be."""
        return self.state in _ON_AIR


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The machine, the settings, who asks, and what runs already.

    `settings_file` is empty without one; `problems` are those of the settings, and `settings` the defaults then.
    `page_addresses` gives the page's addresses for the settings and a port.
    """

    machine: Machine
    board: Board
    settings: Settings
    settings_file: str
    problems: tuple[str, ...]
    account: Account
    service: Service
    running: Running | None
    holders: Holders
    page_addresses: Callable[[WebSettings, int], list[str]]

    @property
    def on_air(self) -> Running | None:
        """The running daemon, if it holds the devices."""
        return self.running if self.running is not None and self.running.holds_devices else None

    def hides(self, path: str) -> Hidden | None:
        """What hides a file of these settings from the service, if they are the service's, and something does."""
        is_services = self.service.installed and self.settings_file == self.service.settings_file
        return self.service.hides(os.path.realpath(absolute(path))) if is_services and path else None

    def ask_again(self) -> Running | None:
        """Ask the running daemon anew."""
        return ask_daemon_of(self.settings)


def ask_daemon_of(settings: Settings) -> Running | None:
    """Ask the daemon that runs with these settings, as its operator."""
    return ask_running(settings.web, operator_token(settings.web, state_folder(settings.stream.state_dir)))


def ask_running(settings: WebSettings, token: str = "") -> Running | None:
    """Ask the daemon on our port, with the operator's `token`; None unless it is a broadcaster."""
    try:
        return understand(DaemonClient(settings, token).status())
    except (NoDaemon, Refused):
        return None


def understand(status: Any) -> Running | None:
    """What an answer of `GET /api/status` says; None if it is no such thing."""
    try:
        stream = status["stream"]
        told = _HIDDEN | status if status.get("private") is True else status
        return Running(
            state=str(stream["state"]),
            reason=str(stream.get("reason") or ""),
            sound=str(stream.get("sound") or ""),
            source=str(told["source"]),
            encoder=str(told["encoder"]),
            audio_source=str(told["audio_source"]),
            width=int(told["width"]),
            height=int(told["height"]),
            fps=float(told["fps"]),
            pictures=int(told["pictures"]),
            viewers=int(told["viewers"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
