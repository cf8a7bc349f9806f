"""The WHIP protocol (RFC 9725) without I/O: ICE servers in `Link` headers, URLs of sessions, meaning of a status."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from broadcaster.errors import PushError
from broadcaster.settings.host_names import can_be_looked_up
from broadcaster.settings.ice_uris import parse_uri

MAX_URL = 2000
"""Characters of the URL of a session, or of a redirection."""

MAX_SERVERS = 8
_MAX_HEADER = 8192
_MAX_CREDENTIAL = 512

_LINK = re.compile(r'<([^<>"\s]{1,300})>((?:\s*;\s*[\w-]{1,40}\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+)){0,9})')
_PARAMETER = re.compile(r';\s*([\w-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))')
"""RFC 8288 §3."""

_MEANINGS = {
    400: "the server rejects the offer",
    401: "the server requires a token, or rejects the one in the settings",
    403: "the server does not let this token publish here",
    404: "the server has no WHIP endpoint at this URL",
    405: "this URL is no WHIP endpoint",
    406: "the server rejects the codecs: it must accept H.264 and Opus",
    409: "another publisher has this stream on the server",
    415: "this URL is no WHIP endpoint",
    429: "the server has had too many requests",
}


def ice_servers(links: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """Return the servers with `rel="ice-server"` in `Link` headers (RFC 9725 §4.6) as `RTCIceServer` dictionaries.

    Malformed ones are left out.
    """
    found = [server for link in links if len(link) <= _MAX_HEADER for server in _servers(link)]
    return tuple(found[:MAX_SERVERS])


def _servers(link: str) -> Iterator[Mapping[str, Any]]:
    for match in _LINK.finditer(link):
        url = match[1]
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or token
            for name, quoted, token in _PARAMETER.findall(match[2])
        }
        username, credential = parameters.get("username", ""), parameters.get("credential", "")
        is_server = parameters.get("rel", "").lower() == "ice-server" and _is_ice_url(url)
        if not is_server or max(len(username), len(credential)) > _MAX_CREDENTIAL:
            continue
        if url.startswith("stun"):
            yield {"urls": [url]}
        elif username and credential:
            yield {"urls": [url], "username": username, "credential": credential}


def _is_ice_url(url: str) -> bool:
    try:
        parse_uri(url)
    except ValueError:
        return False
    return True


def resolve(base: str, location: str, http_status: int = 0) -> str:
    """Return the URL that a `Location` header of the answer from `base` means. Raises `PushError` with `http_status`.

    From https it must not lead to http, where everybody could read the token, and change offer and answer.
    """
    try:
        url = urljoin(base, location)
        parts, secure = urlsplit(url), urlsplit(base).scheme == "https"
        valid = bool(location) and len(url) <= MAX_URL and url.isascii() and url.isprintable() and " " not in url
        valid = valid and can_be_looked_up(parts.hostname or "") and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.scheme not in ("http", "https"):
        raise PushError("the server's Location header is missing or no http URL", http_status)
    if secure and parts.scheme != "https":
        raise PushError("the server refers from https to http, which is not encrypted", http_status)
    return url


def refusal(status: int, text: str) -> PushError:
    """Return the error for an answer other than 201; `text` is the beginning of its body."""
    meaning = _MEANINGS.get(status, "the server has an error" if status >= 500 else "the server answers unexpectedly")
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    # The body of an error page says nothing to the owner.
    said = f': "{line[:100]}"' if line and not line.startswith("<") else ""
    return PushError(f"{meaning} (HTTP {status}){said}", status)
