"""Listening sockets."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterable

from broadcaster.errors import BroadcasterError
from broadcaster.web.accept import BACKLOG

USER_TIMEOUT = 15.0
"""Seconds that sent data may stay unacknowledged, or the peer's receive window closed, before the kernel ends the
connection (TCP_USER_TIMEOUT, RFC 5482).

A WebSocket's heartbeat is faster; this is for clients that request pages and do not read them.
"""
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

WILDCARD_HOSTS = {"": (4, 6), "::": (4, 6), "0.0.0.0": (4,)}
"""The values of `web.host` that mean all addresses, and the IP versions of these."""
_WILDCARDS = {4: (socket.AF_INET, "0.0.0.0"), 6: (socket.AF_INET6, "::")}


async def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses of `host` (see `WILDCARD_HOSTS`), on `port` or, if 0, on a free port common to all.

    IP versions that the machine does not support are left out. Raises `BroadcasterError`, naming the setting to change.
    """
    listeners: list[socket.socket] = []
    try:
        for family, address in await _addresses(host, port):
            common_port = listeners[0].getsockname()[1] if listeners else port
            listener = _listen(family, (address, common_port))
            listeners += [] if listener is None else [listener]
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise BroadcasterError(_explain(error, host, port)) from error
    if not listeners:
        raise BroadcasterError(_no_address(host))
    return listeners


def describe(listeners: Iterable[socket.socket], host: str) -> str:
    """Return the addresses of the listeners for a log line, and the IP version of `host` that is missing."""
    addresses = [listener.getsockname() for listener in listeners]
    texts = [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port, *_ in addresses]
    available = {6 if ":" in ip else 4 for ip, *_ in addresses}
    missing = [f"IPv{version}" for version in WILDCARD_HOSTS.get(host, ()) if version not in available]
    return " and ".join(texts) + (f" (this machine has no {missing[0]})" if missing else "")


def available_ip_versions(host: str) -> frozenset[int]:
    """Return the IP versions on which a daemon listens with this wildcard in `web.host`."""
    return frozenset(version for version in WILDCARD_HOSTS[host] if _is_available(version))


def _is_available(version: int) -> bool:
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
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos))


def _listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket | None:
    """Listen on one address; return None if the machine does not have it."""
    try:
        listener = socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        raise
    # On Linux, accepted connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(USER_TIMEOUT * 1000))
    return listener


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"port {port}" if not host else f"{host} port {port}"
    if error.errno == errno.EADDRINUSE:
        return f"web.port: {where} is in use by another program; stop it, or choose another port with --set web.port=…"
    if error.errno == errno.EACCES:
        return f"web.port: {where} needs privileges, which the installed service has; use that, or a port from 1024 on"
    if isinstance(error, socket.gaierror):
        return f"web.host: the name {host} cannot be resolved ({error.strerror}); use an address of this machine"
    return f"web.host, web.port: cannot listen on {where}: {error.strerror}"


def _no_address(host: str) -> str:
    if host in WILDCARD_HOSTS:
        return "web.host: this machine has no IP address; check its network"
    return f"web.host: this machine has no address {host}; use one that `ip address` shows, or leave web.host empty"
