"""The `/media` endpoint: video and audio over a WebSocket, for viewers whom UDP does not reach."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from broadcaster.errors import BadMessage
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import Clock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.media import MEDIA_SUBPROTOCOL, Open, parse_media_message
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.web.media_connection import MediaConnection
from broadcaster.web.pending import Sockets
from broadcaster.web.viewers import Viewers
from broadcaster.web.websocket import WebSocket, is_end, is_too_big


class MediaEndpoint:
    """Accepts WebSockets, waits for the ticket of a session, and connects them with its viewer."""

    def __init__(
        self, viewers: Viewers, stream: MuxedStream, clock: Clock, timings: Timings, log: RateLimitedLogger
    ) -> None:
        self._viewers = viewers
        self._stream = stream
        self._clock = clock
        self._timings = timings
        self._log = log
        self._sockets = Sockets(viewers.sessions.limit)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket from handshake to end; `RequestGuard` has checked Host and Origin."""
        return await self._sockets.serve(request, MEDIA_SUBPROTOCOL, self._timings.close_timeout, self._serve)

    def close(self) -> None:
        """Close all WebSockets."""
        self._sockets.close()

    async def _serve(self, socket: WebSocket) -> None:
        try:
            with self._sockets.pending(socket, self._evict):
                ticket = await self._wait_for_ticket(socket)
        except Refusal as refusal:
            self._refuse(socket, refusal.close, str(refusal))
            ticket = None
        if ticket is not None:
            await self._play(socket, ticket)
        await socket.discard()
        await socket.finish()

    def _evict(self, socket: WebSocket) -> None:
        self._refuse(socket, CloseCode.TOO_MANY, "too many connections")

    def _refuse(self, socket: WebSocket, code: CloseCode, why: str) -> None:
        self._log.info("media refused", f"refused {socket.address} at /media: {why}")
        socket.close(code)

    async def _wait_for_ticket(self, socket: WebSocket) -> str | None:
        """Return the ticket in the first message; None if the connection has ended, or is refused."""
        try:
            async with asyncio.timeout(self._timings.hello_timeout):
                message = await socket.receive()
        except TimeoutError:
            self._refuse(socket, CloseCode.TOKEN, "no ticket in time")
            return None
        if message.type is WSMsgType.TEXT:
            return self._ticket_of(message.data)
        if message.type is WSMsgType.BINARY:
            socket.close(CloseCode.UNSUPPORTED_DATA)
        elif is_too_big(message):
            socket.close(CloseCode.MESSAGE_TOO_BIG)
        elif not is_end(message):
            self._refuse(socket, CloseCode.TOKEN, "no ticket")
        return None

    def _ticket_of(self, text: str) -> str:
        """Return the ticket of an `open` message; an invalid one for anything else."""
        try:
            message = parse_media_message(text)
        except BadMessage:
            return ""
        return message.ticket if isinstance(message, Open) else ""

    async def _play(self, socket: WebSocket, ticket: str) -> None:
        """Connect the WebSocket with the viewer of this ticket until either side closes it."""
        viewer = self._viewers.redeem(ticket)
        if viewer is None:
            self._refuse(socket, CloseCode.TOKEN, "the ticket is wrong, late or used")
            return
        connection = MediaConnection(socket, self._stream, self._clock)
        viewer.open_media(connection)
        try:
            while not socket.is_closing:
                message = await socket.receive()
                if is_end(message):
                    break
                connection.receive(message)
            if not socket.is_closing and is_too_big(message):
                connection.close(CloseCode.MESSAGE_TOO_BIG)
        finally:
            viewer.close_media(connection)
