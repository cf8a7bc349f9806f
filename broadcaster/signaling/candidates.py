"""Filter for remote ICE candidates.

A viewer must not be able to direct our packets at others, or make us resolve names: only plain UDP addresses of other
machines pass. Browsers that hide their addresses (`.local`) lose nothing: their connectivity checks reach us, and ICE
learns their addresses from those.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from broadcaster.model.offers import IceCandidate

_MAX_LENGTH = 512
_CANDIDATE = re.compile(
    r"(?:a=)?candidate:(?P<foundation>[0-9A-Za-z+/]{1,32}) (?P<component>[0-9]{1,3}) (?P<protocol>[A-Za-z-]{1,8})"
    r" (?P<priority>[0-9]{1,10}) (?P<address>[0-9A-Za-z.:-]{1,255}) (?P<port>[0-9]{1,5})"
    r" typ (?P<type>host|srflx|prflx|relay)(?P<rest>(?: [!-~]+ [!-~]+)*)"
)
"""RFC 8839 §5.1."""

FIRST_OPEN_PORT = 1024
"""Ports below are for system services; browsers never use them for media."""
_UNSPECIFIED = ip_network("0.0.0.0/8")  # "this network", RFC 6890
_RESERVED = ip_network("240.0.0.0/4")  # with the broadcast address, RFC 6890


class Dropped(Exception):
    """A candidate that must not reach ICE, with the reason."""


def filter_candidate(text: str, own: frozenset[str]) -> IceCandidate:
    """Read one candidate line; `own` are our addresses. Raises `Dropped`."""
    match = _CANDIDATE.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise Dropped("unparsable")
    if match["protocol"].lower() != "udp":
        raise Dropped("not UDP")
    if match["component"] != "1":
        raise Dropped("not component 1")  # RTCP is multiplexed
    address = _check_address(match["address"], own)
    port = int(match["port"])
    if not FIRST_OPEN_PORT <= port < 65536:
        raise Dropped("port below 1024 or above 65535")
    related = _related(match["rest"].split())
    return IceCandidate(
        match["foundation"], 1, "udp", _priority(match["priority"]), address, port, match["type"], *related
    )


def _check_address(text: str, own: frozenset[str]) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise Dropped("a host name") from None
    reason = _refused(address)
    if reason is not None:
        raise Dropped(reason)
    if str(address) in own:
        raise Dropped("our own address")
    return str(address)


def _refused(address: IPv4Address | IPv6Address) -> str | None:
    """Return why no packet may be sent there, or None."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return "an IPv4-mapped address"
    if address.is_loopback:
        return "loopback"
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified or address in _UNSPECIFIED:
        return "unspecified"
    return "broadcast" if address in _RESERVED else None


def _priority(digits: str) -> int:
    priority = int(digits)
    if not 0 < priority < 2**31:  # RFC 8445 §5.1.2
        raise Dropped("priority out of range")
    return priority


def _related(rest: list[str]) -> tuple[str | None, int | None]:
    """Return the related address, which is for diagnosis only; None where it is invalid."""
    extensions = dict(zip(rest[::2], rest[1::2], strict=True))
    try:
        return str(ip_address(extensions["raddr"])), int(extensions["rport"][:5])
    except (KeyError, ValueError):
        return None, None
