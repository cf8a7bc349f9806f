"""Accepts connections, no more than there is room for: each takes a descriptor, before it has said anything."""

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
from broadcaster.web.connection import Connection, Tls
from broadcaster.web.plain_http import FirstBytes

BACKLOG = 128
"""Connections that may wait to be accepted: as many as come within a moment."""
A_VIEWER = 7
"""Connections of one viewer while the page loads: the six that browsers open to one host, and the WebSocket."""
SPARE_AT_AN_ADDRESS = 32
SPARE = 256
_RETRY = 1.0
"""Seconds to wait where the machine has nothing left for one more connection, as in asyncio."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Room:
    """How many connections there may be, in all and from one place.

    All viewers may be behind one address and open the page at the same moment, so that an address has room for
    all of them, a site of IPv6 for twice as many, and there is place for others beside two such addresses. At most
    half of this process's descriptors are for that: the others are for media, cameras and files.
    """

    def __init__(self, max_viewers: int, is_own: Callable[[str], bool]) -> None:
        """`is_own` tells addresses that no limit by address counts for: this machine's and its proxies'."""
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = min(2 * A_VIEWER * max_viewers + SPARE, descriptors // 2)
        at_an_address = min(A_VIEWER * max_viewers + SPARE_AT_AN_ADDRESS, self.most // 2)
        self.most_at = (at_an_address, 2 * at_an_address)
        self._is_own = is_own
        self._at: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        """How many there are."""
        return self._all

    @property
    def is_full(self) -> bool:
        """Whether there are as many as there may be in all."""
        return self._all >= self.most

    def has_place(self, address: str) -> bool:
        """Whether there are fewer from there than may be."""
        return all(self._at[at] < most for at, most in zip(self._places(address), self.most_at, strict=False))

    def enter(self, address: str) -> None:
        """Take a place for a connection from there."""
        self._all += 1
        self._at.update(self._places(address))

    def leave(self, address: str) -> None:
        """Give the place back."""
        self._all -= 1
        for place in self._places(address):
            self._at[place] -= 1
            if not self._at[place]:
                del self._at[place]

    def _places(self, address: str) -> tuple[str, ...]:
        return () if self._is_own(address) else networks(address)


class Acceptor:
    """Gives each connection that comes in at `listeners` a `protocol`, behind TLS if so wanted.

    Where there are too many in all, the oldest that has not become a WebSocket gives its place to the newest: those
    of pages last for seconds, so that nobody can take the room of those who come by holding on to it.
    Not by asyncio's own server, which has no limit, tells a protocol nothing before TLS has begun, and where it
    runs out of descriptors writes thousands of lines a second.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        room: Room,
        log: RateLimitedLogger,
        is_own_host: Callable[[str], bool],
    ) -> None:
        """`is_own_host` tells which hosts plain HTTP may be redirected to, where there is TLS."""
        self._is_own_host = is_own_host
        self._listeners = listeners
        self._protocol = protocol
        self._tls = tls
        self._room = room
        self._log = log
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._exhausted = False
        self._retries: dict[socket.socket, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Accept from now on."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._listen(listener)

    async def close(self) -> None:
        """Accept no more, and end those that have not begun; idempotent."""
        loop = asyncio.get_running_loop()
        for retry in self._retries.values():
            retry.cancel()
        for listener in self._listeners:
            if listener.fileno() >= 0:
                loop.remove_reader(listener)
                listener.close()
        beginning = [task for task in self._connections.values() if not task.done()]
        for task in beginning:
            task.cancel()
        await asyncio.gather(*beginning, return_exceptions=True)

    def _listen(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take the connections that wait; where nothing is left for one more, look again in a while."""
        try:
            for _ in range(BACKLOG):
                connection, peer = listener.accept()
                self._exhausted = False
                self._take(connection, access.plain_address(peer[0]))
        except OSError as error:  # no more are waiting, or (accept(2)) one has gone already
            if error.errno in _EXHAUSTED:
                if not self._exhausted:
                    self._log.warning("accept", f"no connection can be taken for now: {error.strerror}")
                self._exhausted = True
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                self._retries[listener] = loop.call_later(_RETRY, self._listen, listener)

    def _take(self, taken: socket.socket, address: str) -> None:
        if not self._room.has_place(address) or (self._room.is_full and not self._make_place()):
            self._log.info("connections", f"refused {address}: too many connections")
            taken.close()
            return
        self._room.enter(address)
        connection = Connection(self._protocol(), address, self._ended)
        task = asyncio.create_task(self._begin(taken, connection), name="connection begins")
        self._connections[connection] = task

        def begun(task: asyncio.Task[None]) -> None:
            if task.cancelled() or task.exception() is not None:
                connection.end()
                taken.close()

        task.add_done_callback(begun)

    def _make_place(self) -> bool:
        """Cut the oldest connection that may be cut off, if there is one."""
        oldest = next((connection for connection in self._connections if not connection.stays), None)
        if oldest is None:
            return False
        self._log.info("cut", f"cut {oldest.address} off: too many connections in all")
        self._connections[oldest].cancel()  # while it begins
        oldest.abort()
        return True

    def _ended(self, connection: Connection) -> None:
        self._room.leave(connection.address)
        del self._connections[connection]

    async def _begin(self, taken: socket.socket, connection: Connection) -> None:
        """Bring a connection to where its protocol has it. Raises what keeps it from that: no TLS, or it has gone."""
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await loop.connect_accepted_socket(lambda: connection, taken)
            return
        done: asyncio.Future[None] = loop.create_future()
        first = FirstBytes(partial(Tls, connection, self._tls, done), done, self._is_own_host)
        transport, _ = await loop.connect_accepted_socket(lambda: first, taken)
        try:
            await done
        finally:
            if done.cancelled() or done.exception() is not None:
                transport.abort()
