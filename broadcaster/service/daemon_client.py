"""Asks the daemon that runs on this machine, over its HTTP API."""

from __future__ import annotations

import json
import ssl
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from broadcaster.errors import BroadcasterError
from broadcaster.settings import WebSettings

TIMEOUT = 3.0
"""Seconds for a daemon to answer on its own machine."""
_LARGEST = 1 << 20
"""Bytes of an answer; a broadcaster's has some hundred for each viewer."""
_LOOPBACK = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1", "::0": "::1"}
"""The way to this machine itself, by what `web.host` says for all addresses."""


class NoDaemon(BroadcasterError):
    """Nobody listens there, or somebody who is no broadcaster."""


class Refused(BroadcasterError):
    """The daemon answered with an HTTP error; the text is its own."""


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """The daemon with these settings; `token` is the operator's, empty where the daemon asks for none."""

    web: WebSettings
    token: str = ""

    @property
    def url(self) -> str:
        """Where it is asked; ends with a slash."""
        host = _LOOPBACK.get(self.web.host, self.web.host)
        scheme = "https" if self.web.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.web.port}/"

    def status(self) -> Any:
        """Return what `GET /api/status` answers. Raises `NoDaemon` and `Refused`."""
        return self._ask("api/status", None)

    def set_live(self, live: bool) -> Any:
        """Start or stop. Raises `NoDaemon` and `Refused`."""
        return self._ask("api/live", {"live": live})

    def _ask(self, path: str, body: dict[str, object] | None) -> Any:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_any_certificate())
        try:
            request = urllib.request.Request(self.url + path, data, headers)
            with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as response:
                return json.loads(response.read(_LARGEST))
        except HTTPError as error:
            with error:
                raise Refused(error.read(_LARGEST).decode("utf-8", "replace").strip() or str(error)) from error
        except (OSError, ValueError, HTTPException) as error:
            raise NoDaemon(f"no broadcaster answers at {self.url} ({error})") from error


def operator_token(web: WebSettings, state: Path) -> str:
    """Return the token that the daemon wants to see even from this machine, empty if it wants none.

    It wants `web.operator_token`, or the one it made in its `state` folder if it does not listen on loopback.
    """
    if web.operator_token or web.host in _LOOPBACK or web.host.startswith(("localhost", "127.")) or web.host == "::1":
        return web.operator_token
    try:
        return (state / "operator_token").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _any_certificate() -> ssl.SSLContext:
    """The machine asks itself, and its certificate is for the name by which others call it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
