"""Tokens: length, strength, generation, comparison, and the `Authorization` header that carries them."""

from __future__ import annotations

import hmac
import math
import re
import secrets
import string

MIN_LENGTH = 20
"""Characters of a token: few enough for a passphrase, too many to guess.

Twenty letters of words chosen by dice have 50 bits (Diceware: 12.9 bits for a word of five letters). A hundred
thousand addresses that each try five tokens per minute would need two thousand years to try half of them.
"""
MAX_LENGTH = 256
_BYTES = 18
"""Random bytes of a generated token: 24 characters, 144 bits."""
_WEAK = 48.0
"""Bits below which a token is easy to guess, however long it is."""
_ALPHABETS = (string.digits, string.ascii_lowercase, string.ascii_uppercase, string.punctuation)

_BEARER = re.compile(r"bearer +(?P<token>[!-~]+)", re.IGNORECASE)


def tokens_match(token: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(token.encode(), expected.encode())


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an `Authorization` header (RFC 6750 §2.1); None if it has none."""
    match = _BEARER.fullmatch(authorization or "")
    return match and match["token"]


def make_token() -> str:
    """Return a random token that needs no escaping in a URL."""
    return secrets.token_urlsafe(_BYTES)


def is_weak(token: str) -> bool:
    """Return whether a token is easy to guess: repetitive, in alphabetical order, or of few different characters.

    The estimate is an upper bound without a dictionary: each unpredictable character counts as chosen at random from
    the kinds of characters in the token.
    """
    pool = sum(len(alphabet) for alphabet in _ALPHABETS if not set(alphabet).isdisjoint(token))
    return _unpredictable_characters(token) * math.log2(max(2, pool)) < _WEAK


def _unpredictable_characters(token: str) -> int:
    """Count the characters that neither equal or neighbour the previous one, nor followed it the last time."""
    count, followed, before = 0, dict[str, str](), ""
    for character in token:
        step = ord(character) - ord(before) if before else 2
        count += abs(step) > 1 and followed.get(before) != character
        followed[before], before = character, character
    return count
