"""Sockets to listen on."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterable

from broadcaster.errors import BroadcasterError

HANDSHAKE_LIMIT = 10.0
"""Seconds for a TLS handshake, some of which a phone on a bad network needs; asyncio's own limit is 60."""
BACKLOG = 128
"""Connections that may wait to be accepted: as many as come within a moment."""
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


async def serve_on(
    listeners: Iterable[socket.socket], protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None
) -> list[asyncio.Server]:
    """Accept connections and give each a `protocol`, behind TLS if so wanted.

    Not by aiohttp's `SockSite`, which has no limit for who begins a TLS handshake and says nothing more.
    """
    loop, limit = asyncio.get_running_loop(), None if tls is None else HANDSHAKE_LIMIT
    return [
        await loop.create_server(protocol, sock=listener, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=limit)
        for listener in listeners
    ]


async def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket | None:
    """Listen on one address; None when the machine does not have this kind of addresses."""
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        raise


def _explain(error: OSError, host: str, port: int) -> str:
    where = f"port {port}" if not host else f"{host} port {port}"
    if error.errno == errno.EADDRINUSE:
        return f"web.port: {where} is in use by another program; stop it, or choose another with --set web.port=…"
    if error.errno == errno.EACCES:
        return f"web.port: {where} needs privileges; choose one from 1024 on"
    if isinstance(error, socket.gaierror):
        return f"web.host: {host} is not known: {error.strerror}"
    return f"web.host, web.port: cannot listen on {where}: {error.strerror}"
