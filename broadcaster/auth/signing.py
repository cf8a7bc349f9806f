"""Signed texts for addresses: bytes that cannot be made or changed without the key (HMAC, RFC 2104)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

_SIGNATURE = 16
"""Bytes of the truncated HMAC-SHA256: half, the minimum of RFC 2104 §5."""
_MAX_TEXT = 512


def signed(content: bytes, purpose: bytes, key: str) -> str:
    """Return `content` with its signature: visible ASCII that needs no escaping in a URL.

    `purpose` is signed, too, so that what is signed for one thing is not valid for another.
    """
    return _encode(_signature(content, purpose, key) + content)


def verified(text: str, purpose: bytes, key: str) -> bytes | None:
    """Return the content of a signed text; None if it was not signed with `key` for this purpose.

    Only the canonical encoding is valid, so that no character can be changed. Compares in constant time.
    """
    if not key or not text.isascii() or len(text) > _MAX_TEXT:
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
    is_right = hmac.compare_digest(signature, _signature(content, purpose, key))
    return content if is_right and _encode(raw) == text else None


def _signature(content: bytes, purpose: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), purpose + content, hashlib.sha256)[:_SIGNATURE]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
