"""Kinds of settings for host names and origins, which are stored in the form that browsers send."""

from __future__ import annotations

import re
from functools import lru_cache

import idna

from broadcaster.settings.kinds import InvalidValue, Problem, Text
from broadcaster.settings.toml import to_toml

_MAX_LENGTH = 253
"""Characters of a host name (RFC 1035 §2.3.4). Longer ones in requests are not converted, which would cost time."""
_MAX_LABEL = 63
_NAME = r"\w(?:[\w.-]*\w)?"
_ORIGIN = re.compile(rf"(https?://)({_NAME}|\[[0-9A-Fa-f:.]+\])((?::[0-9]{{1,5}})?)")  # RFC 6454 §6.1


def can_be_looked_up(host: str) -> bool:
    """Whether an ASCII name, or an IP address without brackets, may be passed to `getaddrinfo`.

    For an empty label, or one of more than 63 octets (RFC 1035 §2.3.4), Python raises `UnicodeError`, which is no
    `OSError`.
    """
    name = host.removesuffix(".")
    return len(name) <= _MAX_LENGTH and all(0 < len(label) <= _MAX_LABEL for label in name.split("."))


@lru_cache(maxsize=64)
def ascii_name(name: str) -> str:
    """Return a host name as browsers send it: lower case, no trailing dot, A-labels instead of non-ASCII characters.

    The mapping is that of UTS #46, which the URL standard prescribes. A name that cannot be mapped is returned
    in lower case.
    """
    lower = name.lower().removesuffix(".")
    if lower.isascii() or len(lower) > _MAX_LENGTH:
        return lower
    try:
        return idna.encode(lower, uts46=True).decode("ascii")
    except idna.IDNAError:
        return lower


class HostName(Text):
    """A host name without port."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("a host name without port", _NAME)

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        return text if text.isascii() else _require_ascii(ascii_name(text), text, self.allowed)


class Origin(Text):
    """An origin (RFC 6454)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("an origin such as https://example.org:8443, without path", _ORIGIN.pattern)

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        match = _ORIGIN.fullmatch(text)
        assert match is not None
        scheme, name, port = match.groups()
        return text if name.isascii() else _require_ascii(f"{scheme}{ascii_name(name)}{port}", text, self.allowed)


def _require_ascii(converted: str, original: str, allowed: str) -> str:
    """Return `converted`, which is written into response headers. Raises `InvalidValue` if it is not ASCII."""
    if converted.isascii():
        return converted
    raise InvalidValue(Problem("", to_toml(original), f"must be {allowed}"))
