"""Sockets to listen on."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable

from broadcaster.errors import BroadcasterError
from broadcaster.web.accept import BACKLOG

UNREAD_LIMIT = 15.0
"""Seconds that what was sent may wait unacknowledged, or for a reader (RFC 5482); then the kernel ends the connection.

A WebSocket's heartbeat is faster; this is for who asks for pages and does not read them.
"""
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

WILDCARD_HOSTS = {"": (4, 6), "::": (4, 6), "0.0.0.0": (4,)}
"""What `web.host` says for all addresses, and the IP versions that it stands for."""
_WILDCARDS = {4: (socket.AF_INET, "0.0.0.0"), 6: (socket.AF_INET6, "::")}


async def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on `host` (see `WILDCARD_HOSTS`) and `port` (0: any free one, the same for all).

    An IP version that the machine does not have is left out. Raises `BroadcasterError`, naming the setting to change.
    """
    listeners: list[socket.socket] = []
    try:
        for family, address in await _addresses(host, port):
            chosen = listeners[0].getsockname()[1] if listeners else port
            listener = _listen(family, (address, chosen))
            listeners += [] if listener is None else [listener]
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise BroadcasterError(_explain(error, host, port)) from error
    if not listeners:
        raise BroadcasterError(f"web.host: this machine has no address {host or 'at all'}")
    return listeners


def describe(listeners: Iterable[socket.socket], host: str) -> str:
    """Return what is listened on, for people, and which IP version of `host` is not there."""
    addresses = [listener.getsockname() for listener in listeners]
    shown = [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port, *_ in addresses]
    found = {6 if ":" in ip else 4 for ip, *_ in addresses}
    missing = [f"IPv{version}" for version in WILDCARD_HOSTS.get(host, ()) if version not in found]
    return " and ".join(shown) + (f" (this machine has no {missing[0]})" if missing else "")


def available_ip_versions(host: str) -> frozenset[int]:
    """Return the IP versions on which a daemon listens whose `web.host` stands for all addresses."""
    return frozenset(version for version in WILDCARD_HOSTS[host] if _has(version))


def _has(version: int) -> bool:
    family, wildcard = _WILDCARDS[version]
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((wildcard, 0))
    except OSError:
        return False
    return True


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    if host in WILDCARD_HOSTS:
        return [_WILDCARDS[version] for version in WILDCARD_HOSTS[host]]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket | None:
    """Listen on one address; None when the machine does not have this kind of addresses."""
    try:
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        raise
    # Linux hands it on to the connections that are accepted.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(UNREAD_LIMIT * 1000))
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"port {port}" if not host else f"{host} port {port}"
    if error.errno == errno.EADDRINUSE:
        return f"web.port: {where} is in use by another program; stop it, or choose another with --set web.port=…"
    if error.errno == errno.EACCES:
        return f"web.port: {where} needs privileges, which the installed service has; or choose one from 1024 on"
    if isinstance(error, socket.gaierror):
        return f"web.host: {host} is not known: {error.strerror}"
    return f"web.host, web.port: cannot listen on {where}: {error.strerror}"
