"""The `/ws` endpoint: handshake, `hello` and admission of a WebSocket, then its frames to its viewer."""

from __future__ import annotations

import asyncio

from aiohttp import WSMessage, WSMsgType, web

from broadcaster.auth.rate_limits import BAD_MESSAGE_COST, SlidingWindow
from broadcaster.errors import BadMessage
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import (
    ErrorMessage,
    Hello,
    Refusal,
    Unknown,
    parse_message,
    serialize,
    too_many,
)
from broadcaster.signaling.protocol import SUBPROTOCOL, CloseCode, ErrorCode, Timings
from broadcaster.web.pending import Sockets
from broadcaster.web.viewer import Viewer
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewers import Viewers
from broadcaster.web.websocket import WebSocket, is_end


class HelloPhase:
    """The phase of one WebSocket before `hello`; time is an argument."""

    def __init__(self) -> None:
        self._budget = SlidingWindow()

    def receive(self, text: str, now: float) -> Hello | ErrorMessage | None:
        """Process one text message: return `hello`, or a reply to send, or None. Raises `Refusal`."""
        try:
            message = parse_message(text)
        except BadMessage as error:
            self._spend(now, BAD_MESSAGE_COST)
            return ErrorMessage(ErrorCode.BAD_MESSAGE, str(error), field=error.field)
        if isinstance(message, Hello):
            return message
        if not isinstance(message, Unknown):
            raise no_hello()
        self._spend(now, 1)
        return None

    def ping(self, now: float) -> None:
        """Process a ping or pong frame, which costs as much as a message. Raises `Refusal`."""
        self._spend(now, 1)

    def _spend(self, now: float, cost: int) -> None:
        if not self._budget.spend(now, cost):
            raise too_many("messages")


class Endpoint:
    """Accepts WebSockets, waits for their `hello`, and passes their frames to their viewer."""

    def __init__(
        self, viewers: Viewers, auth: ViewerAuth, clock: Clock, timings: Timings, log: RateLimitedLogger
    ) -> None:
        self._viewers = viewers
        self._auth = auth
        self._clock = clock
        self._timings = timings
        self._log = log
        self._sockets = Sockets(viewers.sessions.limit)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket from handshake to end; `RequestGuard` has checked Host and Origin."""
        return await self._sockets.serve(request, SUBPROTOCOL, self._timings.close_timeout, self._serve)

    def close(self) -> None:
        """Close all WebSockets."""
        self._sockets.close()

    async def _serve(self, socket: WebSocket) -> None:
        viewer = await self._open(socket)
        if viewer is not None:
            await self._feed(viewer, socket)
        await socket.discard()
        await socket.finish()

    async def _open(self, socket: WebSocket) -> Viewer | None:
        """Wait for `hello` and return the viewer, or None if the WebSocket is refused or closed."""
        try:
            with self._sockets.pending(socket, self._evict):
                hello = await self._wait_for_hello(socket)
                return None if hello is None else self._welcome(hello, socket)
        except Refusal as refusal:
            self._refuse(socket, refusal)
            return None

    def _evict(self, socket: WebSocket) -> None:
        """Refuse a WebSocket that sends no `hello`, because there are too many."""
        self._refuse(socket, self._viewers.sessions.full(self._clock.monotonic()) or too_many("connections"))

    def _refuse(self, socket: WebSocket, refusal: Refusal) -> None:
        self._log.info("refused", f"refused {socket.address}: {refusal}")
        socket.send(serialize(refusal.error))
        socket.close(refusal.close)

    async def _wait_for_hello(self, socket: WebSocket) -> Hello | None:
        """Wait for `hello`; return None if the connection ends before it. Raises `Refusal`."""
        phase = HelloPhase()
        try:
            async with asyncio.timeout(self._timings.hello_timeout):
                while not socket.is_closing:
                    message = await socket.receive()
                    if is_end(message):
                        return None
                    hello = self._receive(phase, message, socket)
                    if hello is not None:
                        return hello
        except TimeoutError:
            raise no_hello() from None
        return None

    def _receive(self, phase: HelloPhase, message: WSMessage, socket: WebSocket) -> Hello | None:
        """Process one frame before the session; return `hello` if it is that. Raises `Refusal`."""
        now = self._clock.monotonic()
        if message.type is WSMsgType.BINARY:
            socket.close(CloseCode.UNSUPPORTED_DATA)
            return None
        if message.type is not WSMsgType.TEXT:
            phase.ping(now)
            return None
        received = phase.receive(message.data, now)
        if isinstance(received, ErrorMessage):
            socket.send(serialize(received))
            return None
        return received

    def _welcome(self, hello: Hello, socket: WebSocket) -> Viewer:
        """Attach this WebSocket to a session, and return its viewer. Raises `Refusal`."""
        grant = self._auth.admit(hello.token, socket.address)
        is_new = hello.resume not in self._viewers.sessions
        if is_new:
            self._viewers.check_rate(socket.caller)
        viewer = self._viewers.welcome(hello.resume, socket, grant)
        if is_new:
            self._viewers.count_new(socket.caller)
        return viewer

    async def _feed(self, viewer: Viewer, socket: WebSocket) -> None:
        """Pass frames to the viewer until either side closes the WebSocket."""
        end: WSMessage | None = None
        try:
            while end is None and not socket.is_closing:
                message = await socket.receive()
                if is_end(message):
                    end = message
                else:
                    viewer.receive(socket, message)
        finally:
            viewer.detach(socket, end)


def no_hello() -> Refusal:
    """Return the refusal of a connection that did not send `hello` in time, or sent another message first."""
    return Refusal(ErrorCode.NO_HELLO, CloseCode.PROTOCOL_ERROR, "no hello")
