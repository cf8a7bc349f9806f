"""Host names and origins as settings, and as browsers send them."""

from __future__ import annotations

import re
from functools import lru_cache

import idna

from broadcaster.settings.kinds import NotAllowed, Problem, Text
from broadcaster.settings.toml import to_toml

_LONGEST = 253
"""Letters of a host name (RFC 1035 §2.3.4); longer ones, from outside, would only cost time."""
_NAME = r"\w(?:[\w.-]*\w)?"
_ORIGIN = re.compile(rf"(https?://)({_NAME}|\[[0-9A-Fa-f:.]+\])((?::[0-9]{{1,5}})?)")  # RFC 6454 §6.1


@lru_cache(maxsize=64)
def ascii_name(name: str) -> str:
    """Return a host name as browsers send it: lower case, no trailing dot, A-labels for other letters than ASCII's.

    The mapping is that of UTS #46, which the URL standard prescribes. What is no such name stays as it is.
    """
    plain = name.lower().removesuffix(".")
    if plain.isascii() or len(plain) > _LONGEST:
        return plain
    try:
        return idna.encode(plain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return plain


class HostName(Text):
    """A host name; it is kept as browsers send it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("a host name without port", _NAME)

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        return text if text.isascii() else _checked(ascii_name(text), text, self.allowed)


class Origin(Text):
    """An origin (RFC 6454): its host name is kept as browsers send it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("an origin such as https://example.org:8443, without path", _ORIGIN.pattern)

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        match = _ORIGIN.fullmatch(text)
        assert match is not None
        scheme, name, port = match.groups()
        return text if name.isascii() else _checked(f"{scheme}{ascii_name(name)}{port}", text, self.allowed)


def _checked(name: str, given: str, allowed: str) -> str:
    """Return `name`, which ends up in response headers. Raises `NotAllowed` if it could not be made ASCII."""
    if name.isascii():
        return name
    raise NotAllowed(Problem("", to_toml(given), f"must be {allowed}"))
