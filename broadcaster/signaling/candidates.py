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
_LOOPBACK = "loopback"
_RESERVED = ip_network("240.0.0.0/4")  # with the broadcast address, RFC 6890


class Dropped(Exception):
    """A candidate that must not reach ICE, with the reason."""


def filter_candidate(text: str, own: frozenset[str]) -> IceCandidate:
    """Read one candidate line of a viewer; `own` are our addresses. Raises `Dropped`."""
    candidate = _read(text, FIRST_OPEN_PORT)
    if reason := _refused(ip_address(candidate.address)):
        raise Dropped(reason)
    if candidate.address in own:
        raise Dropped("our own address")
    return candidate


def filter_server_candidate(text: str, *, loopback: bool) -> IceCandidate:
    """Read one candidate line of a media server that the owner has chosen. Raises `Dropped`.

    It may run on this machine, so our own addresses are allowed, and with `loopback` those, too. Some servers use a
    port below 1024 that firewalls let through (443).
    """
    candidate = _read(text, 1)
    reason = _refused(ip_address(candidate.address))
    if reason and not (loopback and reason == _LOOPBACK):
        raise Dropped(reason)
    return candidate


def _read(text: str, lowest_port: int) -> IceCandidate:
    match = _CANDIDATE.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise Dropped("unparsable")
    if match["protocol"].lower() != "udp":
        raise Dropped("not UDP")
    if match["component"] != "1":
        raise Dropped("not component 1")  # RTCP is multiplexed
    address = _address(match["address"])
    port = int(match["port"])
    if not lowest_port <= port < 65536:
        raise Dropped(f"port below {lowest_port} or above 65535")
    related = _related(match["rest"].split())
    return IceCandidate(
        match["foundation"], 1, "udp", _priority(match["priority"]), address, port, match["type"], *related
    )


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise Dropped("a host name") from None


def _refused(address: IPv4Address | IPv6Address) -> str | None:
    """Return why no packet may be sent there, or None."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return "an IPv4-mapped address"
    if address.is_loopback:
        return _LOOPBACK
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
