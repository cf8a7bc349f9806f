"""Links that end: a viewer token that says for whom it is and how long it lasts, signed with the daemon's own key.

A token is base64url of signature, time of making, seconds that it lasts, and name. Who does not have the key
can neither make one nor change one (HMAC, RFC 2104), and nothing has to be remembered for it.
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

LONGEST_NAME = 40
"""Characters: a link is to fit into a QR code that a phone reads from a screen."""

LONGEST = 366 * 24 * 3600
"""Seconds that a link may last."""

EARLIEST = 1_767_225_600.0
"""2026-01-01 in Unix seconds: a clock that shows an earlier time was never set."""

_PURPOSE = b"broadcaster viewer link 1\n"
_SIGNATURE = 16
"""Bytes kept of HMAC-SHA256: half of them, the least that RFC 2104 §5 advises."""

_TIMES = struct.Struct("!II")
_LONGEST_TOKEN = 4 * (_SIGNATURE + _TIMES.size + 4 * LONGEST_NAME) // 3 + 3


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: for whom, made when (Unix seconds), and for how many seconds."""

    name: str
    made: int
    seconds: int

    def left(self, unix: float) -> float:
        """Seconds that are left of it, never more than it lasts: a clock that is behind makes no link longer."""
        return min(self.made + self.seconds - unix, float(self.seconds))

    def is_of_the_future(self, unix: float) -> bool:
        """Whether it was made later than now (a minute aside), so that this machine's clock cannot be right."""
        return unix < self.made - 60


@dataclass(frozen=True, slots=True)
class Grant:
    """What a viewer was let in by: the name in its link, and the monotonic second when that ends."""

    name: str = ""
    ends_at: float = math.inf
    by_link: bool = False


OPEN_GRANT = Grant()
"""Of those who need no link: it has no end."""


def is_name(name: str) -> bool:
    """Whether a link can carry this name: printable, and short. An empty one can be carried, too."""
    return len(name) <= LONGEST_NAME and name.isprintable()


def sign_link(link: Link, key: str) -> str:
    """Return the token of `link`: visible ASCII that needs no escaping in an address."""
    said = _TIMES.pack(link.made, link.seconds) + unicodedata.normalize("NFC", link.name).encode()
    return urlsafe_b64encode(_signature(said, key) + said).decode().rstrip("=")


def read_link(token: str, key: str) -> Link | None:
    """Return what a token says, or None where it was not made with this `key`; compares in constant time."""
    raw = _decode(token)
    if raw is None:
        return None
    signature, said = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(said, key)):
        return None
    # From here on it is what `sign_link` made.
    made, seconds = _TIMES.unpack_from(said)
    return Link(said[_TIMES.size :].decode(), made, seconds)


def _signature(said: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), _PURPOSE + said, hashlib.sha256)[:_SIGNATURE]


def _decode(token: str) -> bytes | None:
    """Return the bytes of a token; only one spelling is right, so that no letter of it can be changed."""
    if not token.isascii() or len(token) > _LONGEST_TOKEN:
        return None
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    spelt = urlsafe_b64encode(raw).decode().rstrip("=")
    return raw if spelt == token and len(raw) >= _SIGNATURE + _TIMES.size else None
