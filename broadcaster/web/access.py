"""Access rules: names of this machine, origins, and addresses. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from broadcaster.settings.host_names import ascii_name

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::(?P<port>[0-9]{1,5}))?")
"""RFC 3986 §3.2, without zone ids and percent signs: what passes here is written into a header."""

_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/@]+)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOME_SUFFIXES = ("", ".local", ".lan", ".home.arpa", ".fritz.box")
_FORWARDING = re.compile(r"forwarded|via|x-real-ip|x-forwarded-.*|cf-connecting-ip|true-client-ip", re.IGNORECASE)


def own_names(system: Iterable[str], hosts: Iterable[str]) -> frozenset[str]:
    """Return the names of this machine: localhost, its host names with the suffixes of home networks, `web.hosts`."""
    full = {name for name in map(ascii_name, system) if name}
    short = {f"{name.split('.')[0]}{suffix}" for name in full for suffix in _HOME_SUFFIXES}
    return frozenset({"localhost", *full, *short, *map(ascii_name, hosts)})


def own_host(host: str, names: frozenset[str]) -> str | None:
    """Return a `Host` header in ASCII if it names this machine. Any IP address does: DNS rebinding needs a name."""
    name, colon, port = host.partition(":") if host[:1] != "[" else (host, "", "")
    plain = f"{ascii_name(name)}{colon}{port}" if not host.isascii() else host
    match = _HOST.fullmatch(plain)
    if match is None:
        return None
    return plain if _is_ip(match["name"]) or _is_own_name(ascii_name(match["name"]), names) else None


def _is_own_name(name: str, names: frozenset[str]) -> bool:
    """Whether a name is one of `names`, or its first label stands for a wildcard's (RFC 6125 §6.4.3)."""
    _, dot, parent = name.partition(".")
    return name in names or (dot != "" and f"*.{parent}" in names)


def is_allowed_origin(origin: str, host: str, origins: Iterable[str]) -> bool:
    """Whether a page of that origin may talk to us: our own page, or one of `web.origins`.

    The scheme does not matter for our own: behind a proxy we do not know it.
    """
    theirs = _split_origin(origin)
    if theirs is None:
        return False
    scheme, name, port = theirs
    ours = _HOST.fullmatch(host)
    if ours is not None and (name, port) == (ascii_name(ours["name"]), int(ours["port"] or _DEFAULT_PORTS[scheme])):
        return True
    return theirs in map(_split_origin, origins)


def same_name(origin: str, host: str) -> bool:
    """Whether an origin and a `Host` header have the same name, whatever their ports."""
    theirs, ours = _split_origin(origin), _HOST.fullmatch(host)
    return theirs is not None and ours is not None and theirs[1] == ascii_name(ours["name"])


def is_local_request(address: str, host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this machine, and was not forwarded by a proxy on it."""
    match = _HOST.fullmatch(host)
    name = "" if match is None else ascii_name(match["name"]).strip("[]")
    forwarded = any(_FORWARDING.fullmatch(header) for header in headers)
    return is_loopback(address) and (name == "localhost" or is_loopback(name)) and not forwarded


def is_loopback(address: str) -> bool:
    """Whether this is a loopback address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def plain_address(remote: str | None) -> str:
    """Return a peer address without zone id, and IPv4-mapped addresses as IPv4."""
    text = (remote or "").split("%")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _split_origin(origin: str) -> tuple[str, str, int] | None:
    """Return scheme, name and port of an origin (RFC 6454 §6.2); None for `null` and invalid ones."""
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
