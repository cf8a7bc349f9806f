"""Tokens: their length and strength, how to make one, how to compare them, and how requests carry them."""

from __future__ import annotations

import hmac
import math
import re
import secrets
import string

MIN_LENGTH = 20
"""Characters of a token: few enough for words, too many to be found by guessing.

Twenty letters of words chosen by dice are 50 bits (Diceware: 12.9 bits a word of five letters). A hundred thousand
addresses that try five tokens a minute each would need two thousand years for half of those.
"""
MAX_LENGTH = 256
_BYTES = 18
"""Random bytes of a token that we make: 24 characters, 144 bits."""
_WEAK = 48.0
"""Bits below which a token is easy to guess however long it is."""
_ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase, string.punctuation)


_BEARER = re.compile(r"bearer +(?P<token>[!-~]+)", re.IGNORECASE)


def tokens_match(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an `Authorization` header (RFC 6750 §2.1), if it has one."""
    match = _BEARER.fullmatch(authorization or "")
    return match and match["token"]


def make_token() -> str:
    """Return a random token that needs no escaping in a link."""
    return secrets.token_urlsafe(_BYTES)


def is_weak(token: str) -> bool:
    """Whether a token is easy to guess: repeated, in alphabetical order, or made of few different characters.

    A rough upper bound that knows no dictionary: each character that does not follow from the one before it counts as
    chosen at random from the kinds of characters that the token has.
    """
    pool = sum(len(alphabet) for alphabet in _ALPHABETS if not set(alphabet).isdisjoint(token))
    return _surprises(token) * math.log2(max(2, pool)) < _WEAK


def _surprises(token: str) -> int:
    """Count the characters that are not the one before, its neighbour, or what followed it the last time."""
    count, followed, before = 0, dict[str, str](), ""
    for character in token:
        step = ord(character) - ord(before) if before else 2
        count += abs(step) > 1 and followed.get(before) != character
        followed[before], before = character, character
    return count
