"""Accepts connections and limits their number: each uses a descriptor, before it has sent anything."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from broadcaster.auth.rate_limits import networks
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.web import access
from broadcaster.web.connection import Connection, TlsProtocol
from broadcaster.web.plain_http import ProtocolDetector

BACKLOG = 128
"""Length of the queue of connections that wait to be accepted."""
CONNECTIONS_PER_VIEWER = 7
"""Connections of one viewer while the page loads: browsers open up to six to one host, and the WebSocket."""
SPARE_PER_ADDRESS = 32
SPARE = 256
_RETRY_DELAY = 1.0
"""Seconds until connections are accepted again after the system has run out of resources, as in asyncio."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ConnectionSlots:
    """Counts connections against two limits: in total, and per address (per IPv6 network and site).

    All viewers may be behind one address and open the page at the same moment, so the limit of an address allows for
    all of them, that of an IPv6 site for twice as many, and the total for two such addresses and others besides. At
    most half of this process's descriptors are used for connections; media, cameras and files need the rest.
    """

    def __init__(self, max_viewers: int, is_own: Callable[[str], bool]) -> None:
        """`is_own` tells which addresses have no limit per address: this machine and trusted proxies."""
        self._is_own = is_own
        self._by_network: Counter[str] = Counter()
        self._total = 0
        self.allow(max_viewers)

    def allow(self, max_viewers: int) -> None:
        """Set the limits for this number of viewers; connections that exceed them stay."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.max_total = min(2 * CONNECTIONS_PER_VIEWER * max_viewers + SPARE, descriptors // 2)
        per_address = min(CONNECTIONS_PER_VIEWER * max_viewers + SPARE_PER_ADDRESS, self.max_total // 2)
        self.max_per_network = (per_address, 2 * per_address)

    @property
    def is_full(self) -> bool:
        """Whether the limit in total is reached."""
        return self._total >= self.max_total

    def is_available(self, address: str) -> bool:
        """Whether this address is below its limit."""
        limits = zip(self._networks(address), self.max_per_network, strict=False)
        return all(self._by_network[network] < limit for network, limit in limits)

    def take(self, address: str) -> None:
        """Count a connection from this address."""
        self._total += 1
        self._by_network.update(self._networks(address))

    def release(self, address: str) -> None:
        """Stop counting a connection from this address."""
        self._total -= 1
        for network in self._networks(address):
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def _networks(self, address: str) -> tuple[str, ...]:
        return () if self._is_own(address) else networks(address)


class Acceptor:
    """Accepts connections on `listeners`, and connects each to a new `protocol`, through TLS if `tls` is set.

    When all slots are taken, the newest connection replaces the oldest one that is not a WebSocket: connections for
    pages last for seconds, so clients that hold connections open cannot keep viewers out.

    asyncio's own server is not used: it has no limit, does not notify the protocol of connections before the TLS
    handshake, and logs thousands of lines per second when it runs out of descriptors.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        slots: ConnectionSlots,
        log: RateLimitedLogger,
        is_own_host: Callable[[str], bool],
    ) -> None:
        """`is_own_host` tells to which hosts plain HTTP may be redirected if there is TLS."""
        self._is_own_host = is_own_host
        self._listeners = listeners
        self._protocol = protocol
        self._tls = tls
        self._slots = slots
        self._log = log
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._exhausted = False
        self._retries: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Start accepting."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._listen(listener)

    async def close(self) -> None:
        """Stop accepting, and abort connections that are not established yet; idempotent."""
        loop = asyncio.get_running_loop()
        for retry in self._retries.values():
            retry.cancel()
        for listener in self._listeners:
            if listener.fileno() >= 0:
                loop.remove_reader(listener)
                listener.close()
        establishing = [task for task in self._connections.values() if not task.done()]
        for task in establishing:
            task.cancel()
        await asyncio.gather(*establishing, return_exceptions=True)

    def _listen(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Accept the waiting connections; if the system has run out of resources, retry later."""
        try:
            for _ in range(BACKLOG):
                accepted, peer = listener.accept()
                self._exhausted = False
                self._admit(accepted, access.plain_address(peer[0]))
        except OSError as error:  # no more are waiting, or one was closed before it was accepted (accept(2))
            if error.errno in _EXHAUSTED:
                if not self._exhausted:
                    self._log.warning("accept", f"cannot accept connections for now: {error.strerror}")
                self._exhausted = True
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                self._retries[listener] = loop.call_later(_RETRY_DELAY, self._listen, listener)

    def _admit(self, accepted: socket.socket, address: str) -> None:
        if not self._slots.is_available(address) or (self._slots.is_full and not self._evict_oldest()):
            self._log.info("connections", f"refused {address}: too many connections")
            accepted.close()
            return
        self._slots.take(address)
        connection = Connection(self._protocol(), address, self._ended)
        task = asyncio.create_task(self._establish(accepted, connection), name="establish connection")
        self._connections[connection] = task

        def established(task: asyncio.Task[None]) -> None:
            if task.cancelled() or task.exception() is not None:
                connection.end()
                accepted.close()

        task.add_done_callback(established)

    def _evict_oldest(self) -> bool:
        """Abort the oldest connection that is not a WebSocket; return whether there is one."""
        oldest = next((connection for connection in self._connections if not connection.is_websocket), None)
        if oldest is None:
            return False
        self._log.info("evicted", f"closed the oldest connection of {oldest.address}: too many connections in total")
        self._connections[oldest].cancel()  # does nothing if the connection is established
        oldest.abort()
        return True

    def _ended(self, connection: Connection) -> None:
        self._slots.release(connection.address)
        del self._connections[connection]

    async def _establish(self, accepted: socket.socket, connection: Connection) -> None:
        """Attach a socket to its connection. Raises what prevents that: a failed handshake, or a closed socket."""
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await loop.connect_accepted_socket(lambda: connection, accepted)
            return
        handshake: asyncio.Future[None] = loop.create_future()
        make_tls = partial(TlsProtocol, connection, self._tls, handshake)
        detector = ProtocolDetector(make_tls, handshake, self._is_own_host)
        transport, _ = await loop.connect_accepted_socket(lambda: detector, accepted)
        try:
            await handshake
        finally:
            if handshake.cancelled() or handshake.exception() is not None:
                transport.abort()
