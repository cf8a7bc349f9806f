"""URIs of STUN and TURN servers (RFC 7064 §3.1, RFC 7065 §3.1), from the settings and from media servers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from broadcaster.settings.host_names import can_be_looked_up

_URI = re.compile(
    r"(?P<scheme>stuns?|turns?):(?:(?P<name>[0-9A-Za-z._-]+)|\[(?P<ipv6>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?:\?transport=(?P<transport>udp|tcp))?"
)
_PORT, _TLS_PORT = 3478, 5349
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ServerUri:
    """The parts of a STUN or TURN URI; `transport` is "udp" or "tcp", and `secure` means TLS or DTLS over it."""

    relays: bool
    host: str
    port: int
    transport: str
    secure: bool

    @property
    def label(self) -> str:
        """Host and port, as the checks show them."""
        return f"{self.host}:{self.port}"

    @property
    def supported(self) -> bool:
        """Whether aioice has this transport; it lacks STUN over TLS and TURN over DTLS."""
        return not self.secure or (self.relays and self.transport == "tcp")


def parse_uri(uri: str) -> ServerUri:
    """Return the parts of a URI; the default port is that of its scheme. Raises `ValueError` that names the wrong part.

    The scheme must be in lower case, the host an IP address or a name that can be looked up, and only TURN has a
    transport.
    """
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise ValueError("it has no scheme, no host, or something else")
    secure, relays = parts["scheme"].endswith("s"), parts["scheme"].startswith("turn")
    if not _is_host(parts["name"], parts["ipv6"]):
        raise ValueError("its host is no name and no IP address")
    port = int(parts["port"] or (_TLS_PORT if secure else _PORT))
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"its port must be from 1 to {_MAX_PORT}")
    if parts["transport"] and not relays:
        raise ValueError("only TURN has a transport")
    transport = parts["transport"] or ("tcp" if secure else "udp")
    return ServerUri(relays, parts["name"] or parts["ipv6"], port, transport, secure)


def _is_host(name: str | None, ipv6: str | None) -> bool:
    if name is not None:
        return can_be_looked_up(name)
    try:
        IPv6Address(ipv6 or "")
    except AddressValueError:
        return False
    return True
