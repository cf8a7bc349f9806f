"""Headers of WHEP responses (draft-ietf-wish-whep, RFC 9725); pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

OFFER_TYPE = "application/sdp"
FRAGMENT_TYPE = "application/trickle-ice-sdpfrag"
ALLOWED = "GET, HEAD, POST, OPTIONS"
ALLOWED_FOR_SESSION = "PATCH, DELETE, OPTIONS"

_TAG = r'\*|(?:W/)?"[^"]*"'
_TAGS = re.compile(rf"[ \t]*(?:(?:{_TAG})[ \t]*)?(?:,[ \t]*(?:(?:{_TAG})[ \t]*)?)*")
"""A list of entity tags (RFC 9110 §5.6.1, §8.8.3); for some players `*` is one of them."""

_PREFLIGHT_SECONDS = 600
"""Seconds for which a browser need not ask again."""


def cors(origin: str | None) -> dict[str, str]:
    """Return the headers that let a page of this origin, which has been checked, use WHEP (Fetch standard, §3.2)."""
    vary = {"Vary": "Origin", "Cache-Control": "no-store"}
    if origin is None:
        return vary
    return vary | {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "Location, ETag, Link, Retry-After",
    }


def preflight(origin: str | None) -> dict[str, str]:
    """Return the headers of the response to OPTIONS."""
    if origin is None:
        return cors(None)
    return cors(origin) | {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }


def links(servers: Iterable[Mapping[str, Any]], *, with_credentials: bool = True) -> Iterator[str]:
    """Yield one `Link` header for each URL of ICE servers in the form of `RTCConfiguration.iceServers`.

    The parameters are in exactly this order, because players read them with a regular expression. Without
    `with_credentials`, servers that need one are left out.
    """
    for server in servers:
        username, credential = server.get("username", ""), server.get("credential", "")
        if credential and not with_credentials:
            continue
        secret = f'; username="{_quoted(username)}"; credential="{_quoted(credential)}"; credential-type="password"'
        for url in server["urls"]:
            yield f'<{url}>; rel="ice-server"{secret if credential else ""}'


def matches(if_match: str | None, etag: str) -> bool:
    """Return whether `If-Match` allows a change: players send the ETag, `*`, or nothing at all.

    A malformed header allows none.
    """
    if if_match is None:
        return True
    tags = re.findall(_TAG, if_match) if _TAGS.fullmatch(if_match) else []
    return "*" in tags or etag in tags


def _quoted(text: str) -> str:
    """Escape the content of a quoted string (RFC 9110 §5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
