"""Access rules for host names, origins and addresses; pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from broadcaster.settings.host_names import ascii_name

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?")
"""RFC 3986 §3.2, without zone ids and percent signs, because a match is written into a header."""

_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/@]+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOME_SUFFIXES = ("", ".local", ".lan", ".home.arpa", ".fritz.box")
_FORWARDING = re.compile(r"forwarded|via|x-real-ip|x-forwarded-.*|cf-connecting-ip|true-client-ip", re.IGNORECASE)


def own_names(system: Iterable[str], hosts: Iterable[str]) -> frozenset[str]:
    """Return the names of this machine: localhost, its host names with the suffixes of home networks, and `hosts`."""
    full = {name for name in map(ascii_name, system) if name}
    short = {f"{name.split('.')[0]}{suffix}" for name in full for suffix in _HOME_SUFFIXES}
    return frozenset({"localhost", *full, *short, *map(ascii_name, hosts)})


def own_host(host: str, names: frozenset[str]) -> str | None:
    """Return a `Host` header in ASCII if it names this machine, else None.

    Any IP address is accepted, because DNS rebinding needs a name.
    """
    name, colon, port = host.partition(":") if host[:1] != "[" else (host, "", "")
    ascii_host = f"{ascii_name(name)}{colon}{port}" if not host.isascii() else host
    match = _HOST.fullmatch(ascii_host)
    if match is None:
        return None
    return ascii_host if _is_ip(match["name"]) or _is_own_name(ascii_name(match["name"]), names) else None


def _is_own_name(name: str, names: frozenset[str]) -> bool:
    """Whether a name is one of `names`, or matches a wildcard among them (RFC 6125 §6.4.3)."""
    _, dot, parent = name.partition(".")
    return name in names or (dot != "" and f"*.{parent}" in names)


def is_allowed_origin(origin: str, host: str, origins: Iterable[str]) -> bool:
    """Whether pages of that origin may use this server: its own page at `host`, or one of `origins` (`web.origins`).

    The scheme of its own page is not compared, because a proxy may hide it.
    """
    parts = _split_origin(origin)
    if parts is None:
        return False
    scheme, name, port = parts
    own = _HOST.fullmatch(host)
    if own is not None and (name, port) == (ascii_name(own["name"]), int(own["port"] or _DEFAULT_PORTS[scheme])):
        return True
    return parts in map(_split_origin, origins)


def same_name(origin: str, host: str) -> bool:
    """Whether an origin and a `Host` header have the same name, regardless of their ports."""
    parts, own = _split_origin(origin), _HOST.fullmatch(host)
    return parts is not None and own is not None and parts[1] == ascii_name(own["name"])


def is_local_request(address: str, host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request was made on this machine, and not forwarded by a proxy on it."""
    match = _HOST.fullmatch(host)
    name = "" if match is None else ascii_name(match["name"]).strip("[]")
    is_forwarded = any(_FORWARDING.fullmatch(header) for header in headers)
    return is_loopback(address) and is_loopback_host(name) and not is_forwarded


def is_loopback(address: str) -> bool:
    """Whether this is a loopback address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address reaches only this machine."""
    return host == "localhost" or is_loopback(host)


def plain_address(remote: str | None) -> str:
    """Return a peer address without its zone id, and an IPv4-mapped one as IPv4."""
    text = (remote or "").split("%")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _split_origin(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, name and port of an origin (RFC 6454 §6.2); None if it is `null` or invalid."""
    match = _ORIGIN.fullmatch(origin)
    host = match and _HOST.fullmatch(match["host"])
    if match is None or host is None:
        return None
    scheme = match["scheme"].lower()
    return scheme, ascii_name(host["name"]), int(host["port"] or _DEFAULT_PORTS[scheme])


def _is_ip(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
