"""One connection below HTTP: the slot that it takes, and the bytes that wait on it to be sent."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

from broadcaster.web.access import plain_address
from broadcaster.web.short_texts import ShortTexts

HANDSHAKE_TIMEOUT = 10
"""Seconds for a TLS handshake, which may take some on a bad mobile network. asyncio's default of 60 is too long."""
TLS_SHUTDOWN_TIMEOUT = 2.0
"""Seconds for the peer to shut TLS down. With asyncio's default of 30 a silent peer would occupy a descriptor."""

SHORT_READ = 4096
"""Bytes to read at once where only short messages are expected: for each read, asyncio allocates all that it may take,
by default 256 KiB, which takes ten times as long as the read itself."""


def local_address(transport: asyncio.BaseTransport | None) -> str:
    """Return the address of this machine to which a connection was made; empty if it is lost."""
    name = None if transport is None else transport.get_extra_info("sockname")
    return plain_address(name[0]) if name else ""


class Connection(asyncio.Protocol):
    """Wraps a protocol, and calls `ended` once, when the connection is lost or could not be established.

    `is_websocket` is set when the connection has become a WebSocket, which lasts as long as its viewer watches.
    `drained` is called when all that has been written has gone to the kernel, after `notify_when_drained`.
    """

    def __init__(self, inner: asyncio.Protocol, address: str, ended: Callable[[Connection], None]) -> None:
        self.address = address
        self.is_websocket = False
        self.drained: Callable[[], None] = lambda: None
        self._inner = inner
        self._data_received = inner.data_received
        self._ended: Callable[[Connection], None] | None = ended
        self._transports: list[asyncio.Transport] = []

    @property
    def unsent_bytes(self) -> int:
        """Bytes in the write buffers, including those below TLS."""
        unsent = 0
        for transport in self._transports:  # called for each message of each player; a generator takes twice as long
            unsent += transport.get_write_buffer_size()
        return unsent

    def add_transport(self, transport: asyncio.BaseTransport) -> None:
        """Include the write buffer of this transport; the lowest one is added first."""
        assert isinstance(transport, asyncio.Transport)
        self._transports.append(transport)

    def read_short_texts(self, receive: Callable[[bytes], None]) -> None:
        """Hand short text messages to `receive` from now on, and all other data to the inner protocol as before."""
        reader = ShortTexts()

        def data_received(data: bytes) -> None:
            for payload in reader.feed(data):
                receive(payload)
            if reader.rest is not None:
                self._data_received = self._inner.data_received
                self._inner.data_received(reader.rest)

        self._data_received = data_received
        for transport in self._transports[:1]:
            transport.max_size = SHORT_READ  # type: ignore[attr-defined]  # asyncio's, of all its transports

    def notify_when_drained(self, drained: Callable[[], None]) -> None:
        """Call `drained` from now on whenever the lowest write buffer has become empty."""
        self.drained = drained
        for transport in self._transports[:1]:
            transport.set_write_buffer_limits(high=0)

    def end(self) -> None:
        """Report the end of the connection; idempotent."""
        self._transports.clear()
        self.drained = lambda: None
        self._data_received = self._inner.data_received
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self)

    def abort(self) -> None:
        """Close the connection at once, discarding what is not sent yet."""
        for transport in self._transports[:1]:  # aborting the lowest one ends the others
            transport.abort()
        self.end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self.add_transport(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.end()
        self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._data_received(data)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol`."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._inner.resume_writing()
        self.drained()


class TlsProtocol(SSLProtocol):
    """TLS between a socket and a `Connection`; `handshake` gets the outcome of the TLS handshake."""

    max_size = 32 * 1024
    """Bytes of the read buffer, which each connection allocates at its start: two records (RFC 8446 §5.1). With
    asyncio's default, every client that merely connects would take a quarter of a megabyte."""

    def __init__(self, connection: Connection, context: ssl.SSLContext, handshake: asyncio.Future[None]) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            connection,
            context,
            handshake,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=TLS_SHUTDOWN_TIMEOUT,
        )
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`. The connection itself is only notified of the transport above TLS."""
        self._connection.add_transport(transport)
        super().connection_made(transport)

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`. The write buffer below TLS is empty."""
        super().resume_writing()
        self._connection.drained()

    def connection_lost(self, error: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._connection.end()
        super().connection_lost(error)
