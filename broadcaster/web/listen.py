"""Sockets to listen on."""

from __future__ import annotations

import asyncio
import errno
import socket

from broadcaster.errors import BroadcasterError
from broadcaster.web.accept import BACKLOG

UNREAD_LIMIT = 15.0
"""Seconds that what was sent may wait unacknowledged, or for a reader (RFC 5482); then the kernel ends the connection.

A WebSocket's heartbeat is faster; this is for who asks for pages and does not read them.
"""
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


async def open_listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on `host` ("": all addresses) and `port` (0: any free one, the same for all).

    Raises `BroadcasterError`, naming the setting to change.
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


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
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
        return f"web.port: {where} needs privileges; choose one from 1024 on"
    if isinstance(error, socket.gaierror):
        return f"web.host: {host} is not known: {error.strerror}"
    return f"web.host, web.port: cannot listen on {where}: {error.strerror}"
