"""The kinds of the `[ice]` table: servers, as in `RTCConfiguration.iceServers`, and a range of ports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from broadcaster.settings.kinds import (
    MASKED,
    PRINTABLE,
    Kind,
    NotAllowed,
    Plain,
    Problem,
    Secret,
    Text,
    Texts,
    read_each,
    read_parts,
)
from broadcaster.settings.toml import to_toml


class _Uri(Text):
    """A URI; one with somebody's credential in it, which no STUN or TURN URI has, is not shown."""

    __slots__ = ()

    def show(self, value: object) -> str:
        return MASKED if "@" in str(value) else to_toml(value)


# RFC 7064 §3.1 and RFC 7065 §3.1: scheme, host, port, and for TURN the transport.
_HOST = r"([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_URI = _Uri(
    "a URI such as stun:stun.example.org or turn:turn.example.org:3478?transport=udp",
    rf"stuns?:{_HOST}|turns?:{_HOST}(\?transport=(udp|tcp))?",
)
_FIELDS: Mapping[str, Kind] = {
    "urls": Texts(_URI, "turn:turn.example.org"),
    "username": Text("text without control characters", PRINTABLE),
    "credential": Secret("text without control characters", PRINTABLE),
}


@dataclass(frozen=True, slots=True)
class IceServer:
    """One STUN or TURN server.

    `username` and `credential` are empty where it wants none, or where `ice.turn_secret` makes them.
    """

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)

    @property
    def wants_credential(self) -> bool:
        """Whether it relays, and has no credential yet."""
        return not self.credential and any(url.startswith("turn") for url in self.urls)


_LOWEST_PORT = 1024
_HIGHEST_PORT = 65535


class Ports(Plain):
    """A range of UDP ports, first and last included; the empty text is the empty range."""

    allowed = f'a range of ports from {_LOWEST_PORT} to {_HIGHEST_PORT} such as "50000-50100", or empty'

    def read(self, value: object) -> range:
        """See `Kind`."""
        if value == "":
            return range(0)
        match = re.fullmatch("([0-9]{1,5})-([0-9]{1,5})", value) if isinstance(value, str) else None
        first, last = map(int, match.groups()) if match else (0, 0)
        if not _LOWEST_PORT <= first <= last <= _HIGHEST_PORT:
            raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))
        return range(first, last + 1)

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml(f"{value[0]}-{value[-1]}" if isinstance(value, range) and value else "")


class IceServers:
    """A list of tables, one for each server."""

    allowed = 'a list of tables such as {urls = ["turn:turn.example.org"], username = "…", credential = "…"}'

    def read(self, value: object) -> tuple[IceServer, ...]:
        """See `Kind`."""
        if not isinstance(value, list):
            raise NotAllowed(Problem("", "", f"must be {self.allowed}"))
        return tuple(read_each(_Server(), value))

    def show(self, value: tuple[IceServer, ...]) -> str:
        """See `Kind`."""
        return to_toml([_shown(server) for server in value])

    def secret(self, value: tuple[IceServer, ...]) -> bool:
        """See `Kind`."""
        return any(server.credential for server in value)


class _Server(Plain):
    """One table of the list."""

    allowed = 'a table such as {urls = ["stun:stun.example.org"]}'

    def read(self, value: object) -> IceServer:
        if not isinstance(value, dict):
            raise NotAllowed(Problem("", "", f"must be {self.allowed}"))
        parts = {"urls": [], **value}
        fields = read_parts((f".{name}", _FIELDS.get(name, _Unknown(name)), part) for name, part in parts.items())
        return _whole(IceServer(**dict(zip(parts, fields, strict=True))))


@dataclass(frozen=True, slots=True)
class _Unknown(Plain):
    """A field that there is not; its value may be a misspelt credential, so it is not shown."""

    name: str
    allowed: str = ""

    def read(self, value: object) -> None:
        raise NotAllowed(Problem("", "", f"no such field; there are {', '.join(_FIELDS)}"))


def _whole(server: IceServer) -> IceServer:
    """Return `server` if its parts fit each other. Raises `NotAllowed`."""
    if not server.urls:
        raise NotAllowed(Problem(".urls", "", "must name at least one server"))
    if bool(server.username) != bool(server.credential):
        raise NotAllowed(Problem("", "", "username and credential belong together"))
    return server


def _shown(server: IceServer) -> dict[str, object]:
    """The fields that are set, as `broadcaster settings` shows them."""
    credential = MASKED if server.credential else ""
    fields = {"urls": server.urls, "username": server.username, "credential": credential}
    return {name: value for name, value in fields.items() if value}
