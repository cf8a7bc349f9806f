"""One connection below HTTP: whose place it has, and how much waits on it for a reader."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

HANDSHAKE_LIMIT = 10
"""Seconds for a TLS handshake, some of which a phone on a bad network needs; asyncio's own limit is 60."""
GOODBYE_LIMIT = 2.0
"""Seconds that the other side has to end TLS; asyncio's own limit is 30, for which it would keep a descriptor."""


class Connection(asyncio.Protocol):
    """Stands before another protocol, and calls `ended` once, when this is over or has not come about.

    `stays` is set when it is not for a page, but for as long as somebody watches.
    """

    def __init__(self, inner: asyncio.Protocol, address: str, ended: Callable[[Connection], None]) -> None:
        self.address = address
        self.stays = False
        self._inner = inner
        self._ended: Callable[[Connection], None] | None = ended
        self._transports: list[asyncio.Transport] = []

    @property
    def waiting(self) -> int:
        """Bytes that wait for a reader, those below TLS too."""
        return sum(transport.get_write_buffer_size() for transport in self._transports)

    def carried_by(self, transport: asyncio.BaseTransport) -> None:
        """What is sent goes that way, on this floor or on one below."""
        assert isinstance(transport, asyncio.Transport)
        self._transports.append(transport)

    def end(self) -> None:
        """It is over, or has not come about; idempotent."""
        self._transports.clear()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self)

    def abort(self) -> None:
        """End it now, with all that waits."""
        for transport in self._transports[:1]:  # the lowest carries the others
            transport.abort()
        self.end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`, like all that follows."""
        self.carried_by(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        self.end()
        self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Bytes."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """No more bytes."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """The other side reads slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It has read on."""
        self._inner.resume_writing()


class Tls(SSLProtocol):
    """TLS between a socket and a `Connection`; `begun` is set when the handshake is done, or why it was not."""

    max_size = 32 * 1024
    """Bytes of the buffer to read into, which each connection has from its beginning: two records (RFC 8446 §5.1)
    instead of asyncio's sixteen, or strangers who only connect would take a quarter of a megabyte each."""

    def __init__(self, connection: Connection, context: ssl.SSLContext, begun: asyncio.Future[None]) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            begun,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_LIMIT,
            ssl_shutdown_timeout=GOODBYE_LIMIT,
        )
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`: what is below TLS is known only here."""
        self._connection.carried_by(transport)
        super().connection_made(transport)

    def connection_lost(self, error: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._connection.end()
        super().connection_lost(error)
