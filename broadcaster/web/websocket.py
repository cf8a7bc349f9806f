"""One viewer's WebSocket on aiohttp, with nothing that waits for the viewer.

aiohttp's own heartbeat, ping answers and closing are not used: they allow 1.5 s for a pong, hide pongs,
and wait ten seconds for a close frame; its `send` waits for a slow reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from aiohttp import ClientConnectionResetError, WebSocketError, WSCloseCode, WSMessage, WSMsgType, web

from broadcaster.signaling.protocol import NO_STATUS, SUBPROTOCOL, CloseCode
from broadcaster.web.access import plain_address
from broadcaster.web.connection import Connection
from broadcaster.web.proxies import Caller

LARGEST_MESSAGE = 64 * 1024
MOST_BUFFERED = 64 * 1024
"""Bytes that may wait for a reader; one who lets more pile up has stopped reading."""

_GONE = WSMessage(WSMsgType.CLOSED, None, None)


class _Response(web.WebSocketResponse):
    """aiohttp's response, without the reference cycle through the traceback of an error raised while closing."""

    async def write_eof(self) -> None:  # type: ignore[override]
        """End the response, when its handler has returned."""
        await super().write_eof()
        error = self.exception()
        if error is not None:
            error.__traceback__ = None


class WebSocket:
    """Frames out through a bounded queue, frames in by `receive`; `number` tells it from others.

    `response` is what aiohttp's handler has to return in the end.
    """

    def __init__(
        self,
        number: int,
        caller: Caller,
        response: web.WebSocketResponse,
        transport: asyncio.Transport,
        connection: Connection,
        farewell: float,
    ) -> None:
        self.number = number
        self.caller = caller
        self.response = response
        self._transport = transport
        self._connection = connection
        self._farewell = farewell
        self._queue: asyncio.Queue[tuple[WSMsgType, bytes]] = asyncio.Queue()
        self._queued = 0
        self._closing = False
        self._writer = asyncio.create_task(self._write(), name=f"websocket {number}")

    @property
    def address(self) -> str:
        """Where the viewer is."""
        return self.caller.address

    @property
    def reached_at(self) -> str:
        """The address of this machine that the connection came to: a proxy's way, or the viewer's."""
        name = self._transport.get_extra_info("sockname")
        return plain_address(name[0]) if name else ""

    @property
    def is_closing(self) -> bool:
        """Whether our close frame is on its way: nothing that comes counts any more."""
        return self._closing

    def send(self, text: bytes) -> None:
        """Send a text message, given in UTF-8."""
        self._put(WSMsgType.TEXT, text)

    def ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._put(WSMsgType.PING, payload)

    def close(self, code: CloseCode) -> None:
        """Send a close frame, and cut the connection when no answer comes; idempotent."""
        if self._closing:
            return
        self._put(WSMsgType.CLOSE, struct.pack("!H", code))
        self._closing = True
        asyncio.get_running_loop().call_later(self._farewell, self._transport.abort)

    async def receive(self) -> WSMessage:
        """Wait for the next frame that counts: text, binary, ping, pong, or the end.

        The end is CLOSE with the viewer's code, ERROR with a `WebSocketError`, or CLOSED.
        """
        while True:
            message = await self.response.receive()
            if message.type is WSMsgType.PING:
                self._put(WSMsgType.PONG, bytes(message.data))
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING):
                return message if message.type is WSMsgType.CLOSE else _GONE
            if message.type is WSMsgType.ERROR:
                return message if isinstance(message.data, WebSocketError) else _GONE
            if not self._closing:
                return message

    async def finish(self) -> None:
        """Let the last frames go out, as long as `farewell` allows; then the connection is gone."""
        self.close(CloseCode.NORMAL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._farewell):
                await asyncio.shield(self._writer)
        self.abandon()

    def abandon(self) -> None:
        """End the writer and the connection; what the transport holds has until `farewell`."""
        self._closing = True
        self._writer.cancel()
        self._transport.close()

    def _put(self, type: WSMsgType, payload: bytes) -> None:
        if self._closing:
            return
        if self._queued + self._connection.waiting + len(payload) > MOST_BUFFERED:
            self._transport.abort()
            return
        self._queued += len(payload)
        self._queue.put_nowait((type, payload))

    async def _write(self) -> None:
        """Send what is queued; the close frame is the last."""
        type = WSMsgType.TEXT
        while type is not WSMsgType.CLOSE:
            type, payload = await self._queue.get()
            self._queued -= len(payload)
            try:
                await self.response.send_frame(payload, type)
            except ClientConnectionResetError:
                return


async def open_websocket(request: web.Request, number: int, caller: Caller, farewell: float) -> WebSocket:
    """Shake hands (RFC 6455 §4.2). Raises `HTTPBadRequest`, or `ConnectionResetError` when the viewer is gone."""
    response = _Response(
        protocols=(SUBPROTOCOL,),
        timeout=farewell,
        autoping=False,
        autoclose=False,
        heartbeat=None,
        compress=False,
        max_msg_size=LARGEST_MESSAGE + 1,  # aiohttp refuses what reaches its limit
    )
    await response.prepare(request)
    if request.transport is None:
        raise ConnectionResetError
    connection = request.transport.get_protocol()
    assert isinstance(connection, Connection)
    connection.stays = True
    kernel = request.transport.get_extra_info("socket")
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BUFFERED)
    return WebSocket(number, caller, response, request.transport, connection, farewell)


def is_end(message: WSMessage) -> bool:
    """Whether nothing comes after this frame."""
    return message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)


def is_too_big(message: WSMessage) -> bool:
    """Whether the connection ended because a message was larger than `LARGEST_MESSAGE`."""
    return isinstance(message.data, WebSocketError) and message.data.code == WSCloseCode.MESSAGE_TOO_BIG


def close_code(message: WSMessage) -> int | None:
    """Return the code of the viewer's close frame, `NO_STATUS` if it has none; None without a close frame."""
    if message.type is not WSMsgType.CLOSE:
        return None
    return int(message.data) or NO_STATUS
