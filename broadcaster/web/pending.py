"""The WebSockets of an endpoint, and limits for those that have not shown yet to whom they belong."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from broadcaster.auth.rate_limits import networks
from broadcaster.signaling.messages import too_many
from broadcaster.signaling.protocol import CloseCode
from broadcaster.web.proxies import is_own
from broadcaster.web.websocket import WebSocket, open_websocket

PENDING_LIMITS = (16, 48)
"""WebSockets without a session per address, and per IPv6 site (RFC 6177); no limit for this machine and its proxies."""

SPARE_SOCKETS = 64
"""WebSockets besides one per viewer: those without a session yet, resuming ones, and refused ones."""


class Sockets:
    """All WebSockets of one endpoint; above `limit` in total, the oldest one without a session has to go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = itertools.count(1)
        self._sockets: dict[int, WebSocket] = {}
        self._pending: dict[int, WebSocket] = {}
        self._pending_by_network: Counter[str] = Counter()

    async def serve(
        self,
        request: web.Request,
        subprotocol: str,
        close_timeout: float,
        serve: Callable[[WebSocket], Awaitable[None]],
    ) -> web.StreamResponse:
        """Complete a handshake, and count the WebSocket until `serve` returns.

        Raises `HTTPBadRequest`, and `ConnectionResetError` if the connection was closed.
        """
        socket = await open_websocket(request, next(self._numbers), subprotocol, close_timeout)
        self._sockets[socket.number] = socket
        try:
            await serve(socket)
        finally:
            del self._sockets[socket.number]
            socket.abandon()
        return socket.response

    def close(self) -> None:
        """Close all WebSockets."""
        for socket in self._sockets.values():
            socket.close(CloseCode.GOING_AWAY)

    @contextmanager
    def pending(self, socket: WebSocket, evict: Callable[[WebSocket], None]) -> Iterator[None]:
        """Count a WebSocket as one without a session. Raises `Refusal` if its address has too many of them.

        Above the limit in total, `evict` is called with the oldest one: viewers prove themselves at once, so silent
        clients cannot keep them out.
        """
        sources = networks(socket.address)
        self._pending_by_network.update(sources)
        self._pending[socket.number] = socket
        try:
            counts = [self._pending_by_network[source] for source in sources]
            exceeded = any(count > limit for count, limit in zip(counts, PENDING_LIMITS, strict=False))
            if exceeded and not is_own(socket.caller):
                raise too_many("connections")
            if sum(not other.is_closing for other in self._sockets.values()) > self._limit + SPARE_SOCKETS:
                evict(next(other for other in self._pending.values() if not other.is_closing))
            yield
        finally:
            del self._pending[socket.number]
            self._pending_by_network -= Counter(sources)
