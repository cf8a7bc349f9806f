"""What all checks know when they begin."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from broadcaster.devices.board import Board
from broadcaster.doctor.account import Account
from broadcaster.doctor.holders import Holders
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import Service
from broadcaster.settings import Settings, WebSettings

STATUS_LIMIT = 3.0
"""Seconds for a running daemon to answer on its own machine."""
_LARGEST = 1 << 20
"""Bytes of an answer; a broadcaster's has some hundred for each viewer."""

_ON_AIR = ("starting", "live", "stopping", "failed")
"""States in which the daemon holds camera and microphone, or tries to."""


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that answers on our port, as `GET /api/status` shows it."""

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


def ask_running(settings: WebSettings) -> Running | None:
    """Ask whoever listens on our port; None unless it is a broadcaster."""
    host = settings.host if settings.host not in ("", "0.0.0.0", "::") else "localhost"
    scheme = "https" if settings.certificate else "http"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/api/status"
    ways = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_any_certificate())
    try:
        with urllib.request.build_opener(*ways).open(url, timeout=STATUS_LIMIT) as response:
            return understand(json.loads(response.read(_LARGEST)))
    except (OSError, ValueError, HTTPException):
        return None


def _any_certificate() -> ssl.SSLContext:
    """Asked is this machine itself, whose certificate is for the name by which others call it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def understand(status: Any) -> Running | None:
    """What an answer of `GET /api/status` says; None if it is no such thing."""
    try:
        stream = status["stream"]
        return Running(
            state=str(stream["state"]),
            reason=str(stream.get("reason") or ""),
            sound=str(stream.get("sound") or ""),
            source=str(status["source"]),
            encoder=str(status["encoder"]),
            audio_source=str(status["audio_source"]),
            width=int(status["width"]),
            height=int(status["height"]),
            fps=float(status["fps"]),
            pictures=int(status["pictures"]),
            viewers=int(status["viewers"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
