"""One viewer's WebSocket on aiohttp, on which no operation waits for the viewer.

aiohttp's own heartbeat, pong replies and closing handshake are not used: they allow 1.5 s for a pong, hide pongs, and
wait ten seconds for a close frame; its `send` waits for a slow reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from aiohttp import ClientConnectionResetError, WebSocketError, WSCloseCode, WSMessage, WSMsgType, hdrs, web

from broadcaster.signaling.protocol import NO_STATUS, CloseCode
from broadcaster.web.connection import Connection, local_address
from broadcaster.web.proxies import CALLER, Caller

MAX_MESSAGE = 64 * 1024
"""Bytes of a message from a viewer."""
MAX_BUFFERED = 64 * 1024
"""Bytes that wait to be sent; when there are more, the viewer has stopped reading, and the connection is aborted."""

MAX_MEDIA_BUFFERED = 4 * 1024 * 1024
"""The same where media is written: a control frame must fit behind the largest fragment."""
MEDIA_NOT_SENT = 16 * 1024
"""Bytes of media that the kernel may hold besides what is under way: what it holds can no longer be skipped."""
MEDIA_UNDER_WAY = 512 * 1024
"""Bytes that may be under way on a long path: 2.5 Mbit/s for 1.6 s."""
_TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
"""tcp(7); Python knows the name from 3.12 on."""

_GONE = WSMessage(WSMsgType.CLOSED, None, None)


class _Response(web.WebSocketResponse):
    """aiohttp's response, without the reference cycle through the traceback of an error while closing."""

    async def write_eof(self) -> None:  # type: ignore[override]
        """End the response after its handler has returned."""
        await super().write_eof()
        error = self.exception()
        if error is not None:
            error.__traceback__ = None


class WebSocket:
    """Sends frames through a bounded queue, and receives them by `receive`; `number` identifies it.

    `response` is what aiohttp's handler has to return in the end. `close_timeout` (seconds) limits the closing
    handshake, and sending what is queued.
    """

    def __init__(
        self,
        number: int,
        caller: Caller,
        response: web.WebSocketResponse,
        transport: asyncio.Transport,
        connection: Connection,
        close_timeout: float,
    ) -> None:
        self.number = number
        self.caller = caller
        self.response = response
        self._transport = transport
        self._connection = connection
        self._close_timeout = close_timeout
        self._max_buffered = MAX_BUFFERED
        self._queue: asyncio.Queue[tuple[WSMsgType, bytes]] = asyncio.Queue()
        self._queued = 0
        self._closing = False
        kernel_socket = transport.get_extra_info("socket")
        kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_BUFFERED)
        self._writer = asyncio.create_task(self._write(), name=f"websocket {number}")

    @property
    def address(self) -> str:
        """The viewer's address."""
        return self.caller.address

    @property
    def reached_at(self) -> str:
        """The address of this machine that the viewer, or the proxy in between, has connected to."""
        return local_address(self._transport)

    @property
    def is_closing(self) -> bool:
        """Whether our close frame has been sent or queued; later frames of the viewer are ignored."""
        return self._closing

    def carry_media(self, drained: Callable[[], None], short_text: Callable[[bytes], None]) -> None:
        """Prepare for `write`; `drained` is called when all that was written has been passed on to the kernel.

        `short_text` is called with each short text message, as soon as it arrives; `receive` gets the other frames.
        """
        self._max_buffered = MAX_MEDIA_BUFFERED
        kernel_socket = self._transport.get_extra_info("socket")
        kernel_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MEDIA_UNDER_WAY)
        kernel_socket.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, MEDIA_NOT_SENT)
        self._connection.notify_when_drained(drained)
        self._connection.read_short_texts(lambda text: None if self._closing else short_text(text))

    def write(self, frames: bytes) -> bool:
        """Write complete frames at once, ahead of what is queued; return whether the kernel has taken all of them."""
        if not self._closing:
            self._transport.write(frames)
        return not self._closing and not self._connection.unsent_bytes

    def send(self, text: bytes) -> None:
        """Send a text message, encoded in UTF-8."""
        self._put(WSMsgType.TEXT, text)

    def ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._put(WSMsgType.PING, payload)

    def close(self, code: CloseCode) -> None:
        """Send a close frame, and abort the connection if it is not answered in time; idempotent."""
        if self._closing:
            return
        self._put(WSMsgType.CLOSE, struct.pack("!H", code))
        self._closing = True
        asyncio.get_running_loop().call_later(self._close_timeout, self._transport.abort)

    async def receive(self) -> WSMessage:
        """Wait for the next frame: text, binary, ping (after sending a pong), pong, or the end; while closing, the end.

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

    async def discard(self) -> None:
        """Read until the viewer closes, too: closing with unread data resets TCP, which may discard our close frame."""
        while not is_end(await self.receive()):
            pass

    async def finish(self) -> None:
        """Let the last frames go out, for at most `close_timeout`, then end the connection."""
        self.close(CloseCode.NORMAL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._close_timeout):
                await asyncio.shield(self._writer)
        self.abandon()

    def abandon(self) -> None:
        """End the writer and the connection; what the transport has buffered is still sent."""
        self._closing = True
        self._writer.cancel()
        self._transport.close()

    def _put(self, type: WSMsgType, payload: bytes) -> None:
        if self._closing:
            return
        if self._queued + self._connection.unsent_bytes + len(payload) > self._max_buffered:
            self._transport.abort()
            return
        self._queued += len(payload)
        self._queue.put_nowait((type, payload))

    async def _write(self) -> None:
        """Send queued frames, up to and including the close frame."""
        type = WSMsgType.TEXT
        while type is not WSMsgType.CLOSE:
            type, payload = await self._queue.get()
            self._queued -= len(payload)
            try:
                await self.response.send_frame(payload, type)
            except ClientConnectionResetError:
                return


async def open_websocket(request: web.Request, number: int, subprotocol: str, close_timeout: float) -> WebSocket:
    """Complete the handshake (RFC 6455 §4.2). Raises `HTTPBadRequest`, and `ConnectionResetError` if it was closed."""
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
    if subprotocol not in map(str.strip, offered):
        raise web.HTTPBadRequest(text=f"This needs a WebSocket client with the subprotocol {subprotocol}.\n")
    response = _Response(
        protocols=(subprotocol,),
        timeout=close_timeout,
        autoping=False,
        autoclose=False,
        heartbeat=None,
        compress=False,
        max_msg_size=MAX_MESSAGE + 1,  # aiohttp rejects messages that reach its limit
    )
    try:
        await response.prepare(request)
    except ValueError:  # a key that is not ASCII; aiohttp only handles invalid base64
        raise web.HTTPBadRequest(text="The WebSocket handshake is invalid.\n") from None
    if request.transport is None:
        raise ConnectionResetError
    connection = request.transport.get_protocol()
    assert isinstance(connection, Connection)
    connection.is_websocket = True
    return WebSocket(number, request[CALLER], response, request.transport, connection, close_timeout)


def is_end(message: WSMessage) -> bool:
    """Whether this frame is the last one."""
    return message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)


def is_too_big(message: WSMessage) -> bool:
    """Whether the connection ended because a message was larger than `MAX_MESSAGE`."""
    return isinstance(message.data, WebSocketError) and message.data.code == WSCloseCode.MESSAGE_TOO_BIG


def close_code(message: WSMessage) -> int | None:
    """Return the code of a close frame, `NO_STATUS` if it has none; None for another frame."""
    if message.type is not WSMsgType.CLOSE:
        return None
    return int(message.data) or NO_STATUS
