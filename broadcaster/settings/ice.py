"""The kinds of the `[ice]` table: servers, as in `RTCConfiguration.iceServers`, and a range of ports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from broadcaster.settings.fields import read_fields
from broadcaster.settings.ice_uris import parse_uri
from broadcaster.settings.kinds import (
    MASKED,
    PRINTABLE,
    InvalidValue,
    Kind,
    Problem,
    PublicKind,
    Secret,
    Text,
    Texts,
    read_items,
)
from broadcaster.settings.toml import to_toml


class _Uri(Text):
    """The URI of a server. STUN and TURN URIs carry no credential; one with an `@` probably has one, and is masked."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("a URI such as stun:stun.example.org or turn:turn.example.org:3478?transport=udp", "[!-~]*")

    def read(self, value: object) -> str:
        text = super().read(value)
        try:
            parse_uri(text)
        except ValueError as error:
            raise InvalidValue(Problem("", self.show(text), f"must be {self.allowed}; {error}")) from None
        return text

    def show(self, value: object) -> str:
        return MASKED if "@" in str(value) else to_toml(value)


_FIELDS: Mapping[str, Kind] = {
    "urls": Texts(_Uri(), "turn:turn.example.org"),
    "username": Text("text without control characters", PRINTABLE),
    "credential": Secret("text without control characters", PRINTABLE),
}


@dataclass(frozen=True, slots=True)
class IceServer:
    """One STUN or TURN server.

    `username` and `credential` are empty for a server that needs none, or whose credential is derived from
    `ice.turn_secret`.
    """

    urls: tuple[str, ...]
    username: str = ""
    credential: str = field(default="", repr=False)

    @property
    def needs_credential(self) -> bool:
        """Whether it is a TURN server without a credential of its own."""
        return not self.credential and any(url.startswith("turn") for url in self.urls)


_LOWEST_PORT = 1024
_HIGHEST_PORT = 65535


class PortRange(PublicKind):
    """A range of UDP ports, first and last included; the empty text is the empty range."""

    allowed = f'a range of ports from {_LOWEST_PORT} to {_HIGHEST_PORT} such as "50000-50100", or empty'

    def read(self, value: object) -> range:
        """See `Kind`."""
        if value == "":
            return range(0)
        match = re.fullmatch("([0-9]{1,5})-([0-9]{1,5})", value) if isinstance(value, str) else None
        first, last = map(int, match.groups()) if match else (0, 0)
        if not _LOWEST_PORT <= first <= last <= _HIGHEST_PORT:
            raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))
        return range(first, last + 1)

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml(f"{value[0]}-{value[-1]}" if isinstance(value, range) and value else "")


class IceServers:
    """A list of tables, one per server."""

    allowed = 'a list of tables such as {urls = ["turn:turn.example.org"], username = "…", credential = "…"}'

    def read(self, value: object) -> tuple[IceServer, ...]:
        """See `Kind`."""
        if not isinstance(value, list):
            raise InvalidValue(Problem("", "", f"must be {self.allowed}"))
        return tuple(read_items(_ServerTable(), value))

    def show(self, value: tuple[IceServer, ...]) -> str:
        """See `Kind`."""
        return to_toml([_shown_fields(server) for server in value])

    def is_secret(self, value: tuple[IceServer, ...]) -> bool:
        """See `Kind`."""
        return any(server.credential for server in value)


class _ServerTable(PublicKind):
    """One table of the list."""

    allowed = 'a table such as {urls = ["stun:stun.example.org"]}'

    def read(self, value: object) -> IceServer:
        table = {"urls": [], **value} if isinstance(value, dict) else value
        return _check_server(IceServer(**read_fields(_FIELDS, self.allowed, table)))


def _check_server(server: IceServer) -> IceServer:
    """Return `server` if its fields fit each other. Raises `InvalidValue`."""
    if not server.urls:
        raise InvalidValue(Problem(".urls", "", "must have at least one URI"))
    if bool(server.username) != bool(server.credential):
        raise InvalidValue(Problem("", "", "only one of username and credential is set; set both, or none"))
    return server


def _shown_fields(server: IceServer) -> dict[str, object]:
    """Return the fields that are set, as `broadcaster settings` shows them."""
    credential = MASKED if server.credential else ""
    fields = {"urls": server.urls, "username": server.username, "credential": credential}
    return {name: value for name, value in fields.items() if value}
