"""Signed links: viewer tokens with a name and an expiry time, signed with the daemon's key.

A token is the base64url of signature, creation time, lifetime and name. It cannot be created or changed without the
key (HMAC, RFC 2104), and the daemon stores no list of links.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import math
import struct
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

MAX_NAME_LENGTH = 40
"""Characters: a link must fit into a QR code that a phone can read from a screen."""

MAX_LIFETIME = 366 * 24 * 3600
"""Seconds."""

EARLIEST_CLOCK = 1_767_225_600.0
"""2026-01-01 in Unix seconds. A Pi without a battery-backed clock boots with an earlier time, until it is set."""

_CLOCK_TOLERANCE = 60
"""Seconds that the clock may be slow."""

_PURPOSE = b"broadcaster viewer link 1\n"
"""Signed with each link, so that the key's signatures of anything else are not valid links."""
_KEY_ID = b"broadcaster viewer link key id\n"
_SIGNATURE = 16
"""Bytes of the truncated HMAC-SHA256: half, the minimum of RFC 2104 §5."""

_ID = 6
"""Bytes of a link's id."""

_TIMES = struct.Struct("!II")
_MAX_TOKEN = 4 * (_SIGNATURE + _TIMES.size + 4 * MAX_NAME_LENGTH) // 3 + 3


@dataclass(frozen=True, slots=True)
class Link:
    """A link's content: the viewer's name, creation time in Unix seconds, and lifetime in seconds."""

    name: str
    created: int
    seconds: int

    def remaining(self, unix: float) -> float:
        """Return the seconds until it expires, at most its lifetime, so that a slow clock cannot extend it."""
        return min(self.created + self.seconds - unix, float(self.seconds))

    def is_from_the_future(self, unix: float) -> bool:
        """Return whether its creation time is in the future, so that this machine's clock must be wrong."""
        return unix < self.created - _CLOCK_TOLERANCE


@dataclass(frozen=True, slots=True)
class Grant:
    """A viewer's permission to watch: name and id of its link, and the monotonic time when it expires."""

    name: str = ""
    expires_at: float = math.inf
    by_link: bool = False
    link: str = ""


OPEN_GRANT = Grant()
"""The grant of a viewer without a link; it never expires."""


def is_name(name: str) -> bool:
    """Return whether a link can carry this name: printable, and not too long; it may be empty."""
    return len(name) <= MAX_NAME_LENGTH and name.isprintable()


def sign_link(link: Link, key: str) -> str:
    """Return the token of `link`: visible ASCII that needs no escaping in a URL."""
    content = _TIMES.pack(link.created, link.seconds) + unicodedata.normalize("NFC", link.name).encode()
    return urlsafe_b64encode(_signature(content, key) + content).decode().rstrip("=")


def link_id(link: Link, key: str) -> str:
    """Return the id of a link, which is not secret: two digits for each byte of a digest."""
    return hashlib.sha256(sign_link(link, key).encode()).hexdigest()[: 2 * _ID]


def read_link(token: str, key: str) -> Link | None:
    """Return the link of a token; None if it was not signed with `key`. Compares in constant time."""
    raw = _decode(token)
    if raw is None:
        return None
    signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(content, key)):
        return None
    # Authentic from here on.
    created, seconds = _TIMES.unpack_from(content)
    return Link(content[_TIMES.size :].decode(), created, seconds)


def key_id(key: str) -> str:
    """Return what identifies a key without revealing it; empty if there is none."""
    return hmac.digest(key.encode(), _KEY_ID, hashlib.sha256)[:8].hex() if key else ""


def _signature(content: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), _PURPOSE + content, hashlib.sha256)[:_SIGNATURE]


def _decode(token: str) -> bytes | None:
    """Return the bytes of a token; only the canonical encoding is valid, so that no character can be changed."""
    if not token.isascii() or len(token) > _MAX_TOKEN:
        return None
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    canonical = urlsafe_b64encode(raw).decode().rstrip("=")
    return raw if canonical == token and len(raw) >= _SIGNATURE + _TIMES.size else None
