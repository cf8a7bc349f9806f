"""A client for the HTTP API of the daemon on this machine."""

from __future__ import annotations

import json
import ssl
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from broadcaster import __version__
from broadcaster.errors import BroadcasterError
from broadcaster.settings import WebSettings

TIMEOUT = 3.0
"""Seconds to wait for an answer from this machine."""
CLIP_TIMEOUT = 30.0
"""Seconds for a clip to be on the disk; a slow SD card takes some."""
_MAX_ANSWER = 1 << 20
"""Bytes; a status has some hundred for each viewer."""
_LOOPBACK = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1", "::0": "::1"}
"""The loopback address for each value of `web.host` that means all addresses."""


class NoDaemon(BroadcasterError):
    """Nothing listens at the daemon's address, or the server there is not a broadcaster."""


class Refused(BroadcasterError):
    """The daemon answered with an HTTP error; the message is the daemon's."""


@dataclass(frozen=True, slots=True)
class DaemonClient:
    """A client for the daemon with these settings; `token` is the operator token, empty if none is required."""

    web: WebSettings
    token: str = ""

    @property
    def url(self) -> str:
        """The base URL, with a slash at the end."""
        host = _LOOPBACK.get(self.web.host, self.web.host)
        scheme = "https" if self.web.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.web.port}/"

    def status(self) -> Any:
        """Return the answer to `GET /api/status`. Raises `NoDaemon` and `Refused`."""
        return self._request("api/status", None)

    def set_live(self, live: bool) -> Any:
        """Return the answer to `POST /api/live`, which starts or stops the stream. Raises `NoDaemon` and `Refused`."""
        return self._request("api/live", {"live": live})

    def record(self, on: bool) -> Any:
        """Return the answer to `POST /api/record`, which starts or stops recording. Raises `NoDaemon` and `Refused`."""
        return self._request("api/record", {"record": on})

    def clip(self) -> Any:
        """Return the answer to `POST /api/record` when a clip is saved. Raises `NoDaemon` and `Refused`."""
        return self._request("api/record", {"clip": True}, CLIP_TIMEOUT)

    def mark(self) -> Any:
        """Return the answer to `POST /api/record` when a mark is set. Raises `NoDaemon` and `Refused`."""
        return self._request("api/record", {"mark": True})

    def owner_code(self) -> str:
        """Return a code, with which a browser can sign in as the owner's once. Raises `NoDaemon` and `Refused`."""
        answer = self._request("api/owner/code", {})
        if not isinstance(answer, dict) or not isinstance(answer.get("code"), str):
            raise NoDaemon(f"the server at {self.url} is not a broadcaster with an owner's page")
        return str(answer["code"])

    def links(self) -> Any:
        """Return the answer to `GET /api/owner/links`. Raises `NoDaemon` and `Refused`."""
        return self._request("api/owner/links", None)

    def end_links(self, link: str = "") -> Any:
        """End one viewer link by its id, or all. Raises `NoDaemon` and `Refused`."""
        return self._request(f"api/owner/links{'/' if link else ''}{quote(link, safe='')}", None, method="DELETE")

    def _request(
        self, path: str, body: dict[str, object] | None, timeout: float = TIMEOUT, method: str | None = None
    ) -> Any:
        headers = {"Content-Type": "application/json", "User-Agent": f"broadcaster/{__version__}"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        data = None if body is None else json.dumps(body).encode()
        handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_unverified_tls())
        try:
            request = urllib.request.Request(self.url + path, data, headers, method=method)
            with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
                return json.loads(response.read(_MAX_ANSWER))
        except HTTPError as error:
            with error:
                raise Refused(error_text(error.read(_MAX_ANSWER)) or str(error)) from error
        except (OSError, ValueError, HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            reason = (isinstance(reason, OSError) and reason.strerror) or reason
            raise NoDaemon(f"no broadcaster answers at {self.url} ({reason})") from error


def error_text(body: bytes) -> str:
    """Return the text of an error: that of the API's JSON, or as it is if another program or a proxy has answered."""
    text = body.decode("utf-8", "replace").strip()
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return text
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, str) else text


def operator_token(web: WebSettings, state: Path) -> str:
    """Return the operator token that the daemon requires even from this machine; empty if it requires none.

    That is `web.operator_token`, or if the daemon does not listen on loopback, the one in its `state` folder.
    """
    if web.operator_token or web.host in _LOOPBACK or web.host.startswith(("localhost", "127.")) or web.host == "::1":
        return web.operator_token
    try:
        return (state / "operator_token").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _unverified_tls() -> ssl.SSLContext:
    """Return a TLS context that accepts any certificate: the daemon's is for public names, not for loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
