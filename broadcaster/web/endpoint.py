"""The `/ws` endpoint: who may open a WebSocket, the way to a session, and back."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter

from aiohttp import WSMessage, WSMsgType, hdrs, web

from broadcaster.auth.rate_limits import admissions
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import ErrorMessage, Hello, serialize
from broadcaster.signaling.opening import Opening, Refusal, no_hello, too_many
from broadcaster.signaling.protocol import SUBPROTOCOL, CloseCode, Timings
from broadcaster.web import access
from broadcaster.web.proxies import CALLER
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewer_task import Viewer
from broadcaster.web.viewers import Viewers
from broadcaster.web.websocket import WebSocket, is_end, open_websocket

UNWELCOMED = (16, 48)
"""WebSockets of one address, and of one site of IPv6 (RFC 6177), that have not been welcomed; those of this machine
and of its proxies are not counted."""

SPARE_SOCKETS = 64
"""WebSockets beyond one for each place: newcomers, take-overs, and those who are told that the house is full."""


class Endpoint:
    """Takes WebSockets, hears their `hello`, and feeds their frames to their viewer."""

    def __init__(
        self, viewers: Viewers, door: ViewerAuth, clock: Clock, timings: Timings, log: RateLimitedLogger
    ) -> None:
        self._viewers = viewers
        self._door = door
        self._clock = clock
        self._timings = timings
        self._log = log
        self._numbers = itertools.count(1)
        self._sockets: dict[int, WebSocket] = {}
        self._waiting: dict[int, WebSocket] = {}
        self._unwelcomed: Counter[str] = Counter()
        self._admissions = admissions(viewers.limit)
        self._closed = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket from handshake to end. Host and Origin were checked before."""
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
        if SUBPROTOCOL not in map(str.strip, offered):
            raise web.HTTPBadRequest(text=f"This is a WebSocket of subprotocol {SUBPROTOCOL}.\n")
        if self._closed:
            raise web.HTTPServiceUnavailable(text="Going away.\n")
        try:
            socket = await open_websocket(request, next(self._numbers), request[CALLER], self._timings.close_timeout)
        except ValueError:  # a key that is not even ASCII: aiohttp minds only base64 that is wrong
            raise web.HTTPBadRequest(text="This is no WebSocket handshake.\n") from None
        self._sockets[socket.number] = socket
        try:
            await self._serve(socket)
        finally:
            del self._sockets[socket.number]
            socket.abandon()
        return socket.response

    def close(self) -> None:
        """Take no more WebSockets, and say goodbye on those that there are."""
        self._closed = True
        for socket in self._sockets.values():
            socket.close(CloseCode.GOING_AWAY)

    async def _serve(self, socket: WebSocket) -> None:
        viewer = await self._open(socket)
        if viewer is not None:
            await self._feed(viewer, socket)
        await self._discard(socket)
        await socket.finish()

    async def _open(self, socket: WebSocket) -> Viewer | None:
        """Bring this WebSocket to its session; None when it is refused, or gone."""
        places = access.networks(socket.address)
        self._unwelcomed.update(places)
        self._waiting[socket.number] = socket
        try:
            self._check_room(socket, places)
            hello = await self._hear_hello(socket)
            return None if hello is None else self._welcome(hello, socket)
        except Refusal as refusal:
            self._refuse(socket, refusal)
            return None
        finally:
            del self._waiting[socket.number]
            self._unwelcomed -= Counter(places)

    def _check_room(self, socket: WebSocket, places: tuple[str, ...]) -> None:
        """Refuse who has too many WebSockets that say nothing; where all together have, the oldest of them goes.

        Nobody can take the room of those who come to say something: they do so at once. Raises `Refusal`.
        """
        crowded = any(self._unwelcomed[place] > most for place, most in zip(places, UNWELCOMED, strict=False))
        if crowded and not _is_own(socket):
            raise too_many("connections")
        staying = sum(not other.is_closing for other in self._sockets.values())
        if staying > self._viewers.limit + SPARE_SOCKETS:
            oldest = next(other for other in self._waiting.values() if not other.is_closing)
            self._refuse(oldest, self._viewers.full() or too_many("connections"))

    def _refuse(self, socket: WebSocket, refusal: Refusal) -> None:
        self._log.info("refused", f"refused {socket.address}: {refusal}")
        socket.send(serialize(refusal.error))
        socket.close(refusal.close)

    async def _hear_hello(self, socket: WebSocket) -> Hello | None:
        """Wait for `hello`; None when the connection ends before. Raises `Refusal`."""
        opening = Opening()
        try:
            async with asyncio.timeout(self._timings.hello_timeout):
                while not socket.is_closing:
                    message = await socket.receive()
                    if is_end(message):
                        return None
                    hello = self._listen(opening, message, socket)
                    if hello is not None:
                        return hello
        except TimeoutError:
            raise no_hello() from None
        return None

    def _listen(self, opening: Opening, message: WSMessage, socket: WebSocket) -> Hello | None:
        """Take one frame before the `hello`, if it is not that itself. Raises `Refusal`."""
        now = self._clock.monotonic()
        if message.type is WSMsgType.BINARY:
            socket.close(CloseCode.UNSUPPORTED_DATA)
            return None
        if message.type is not WSMsgType.TEXT:
            opening.ping(now)
            return None
        heard = opening.receive(message.data, now)
        if isinstance(heard, ErrorMessage):
            socket.send(serialize(heard))
            return None
        return heard

    def _welcome(self, hello: Hello, socket: WebSocket) -> Viewer:
        """Give this WebSocket its session. Raises `Refusal`."""
        admitted = self._door.admit(hello.token, socket.address)
        places, now = access.networks(socket.address), self._clock.monotonic()
        is_new = not self._viewers.knows(hello.resume)
        if is_new and not _is_own(socket) and self._admissions.is_empty(places, now):
            raise too_many("new viewers")
        viewer = self._viewers.welcome(hello.resume, socket, admitted)
        if is_new:
            self._admissions.spend(places, now)
        return viewer

    async def _feed(self, viewer: Viewer, socket: WebSocket) -> None:
        """Hand every frame to the viewer, until the WebSocket is at its end or is closed from here."""
        end: WSMessage | None = None
        try:
            while end is None and not socket.is_closing:
                message = await socket.receive()
                if is_end(message):
                    end = message
                else:
                    viewer.take(socket, message)
        finally:
            viewer.detach(socket, end)

    async def _discard(self, socket: WebSocket) -> None:
        """Read until the viewer has closed, too: closing with unread data would tear our close frame away."""
        while not is_end(await socket.receive()):
            pass


def _is_own(socket: WebSocket) -> bool:
    """Whether it comes from this machine or a proxy of ours: many people may, and no limit by address counts."""
    return access.is_loopback(socket.address) or socket.caller.by_proxy
