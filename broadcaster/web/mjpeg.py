"""One client of `/stream.mjpeg`: keyframes as JPEG in a response that does not end (`multipart/x-mixed-replace`)."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import hdrs, web

from broadcaster.auth.links import Grant
from broadcaster.outputs.stills import Keyframe, NoStill, Stills
from broadcaster.ports import Clock
from broadcaster.web.connection import Connection

STALL_LIMIT = 20.0
"""Seconds that a client may take for one picture."""

SEND_BUFFER = 128 * 1024
"""Bytes that the kernel buffers: what is in there when a client is slow is shown late."""

BOUNDARY = "broadcaster-still"
_BEGIN = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
_NEXT = b"\r\n" + _BEGIN
"""Sent right behind each picture: Chromium shows one only when the next part begins, unless it knows its length. A
Content-Length in front would cost nothing, but Chromium ignores it."""
_END = f"\r\n--{BOUNDARY}--\r\n".encode()


class MjpegClient:
    """Sends the last keyframe whenever the client has taken the one before: slow clients skip pictures."""

    def __init__(self, request: web.Request, stills: Stills, grant: Grant, clock: Clock) -> None:
        self.grant = grant
        self._request = request
        self._stills = stills
        self._clock = clock
        self._is_ended = False
        self._drained = asyncio.Event()

    def end(self) -> None:
        """End the response behind the current picture; idempotent."""
        self._is_ended = True
        self._stills.wake()

    async def serve(self) -> web.StreamResponse:
        """Send pictures until the stream is not live, the grant expires, or the client leaves or stalls."""
        headers = {
            hdrs.CONTENT_TYPE: f"multipart/x-mixed-replace; boundary={BOUNDARY}",
            hdrs.CACHE_CONTROL: "private, no-store",
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(self._request)
        connection = self._connection()
        try:
            await self._send_pictures(response, connection)
            await response.write_eof()
        except TimeoutError:
            connection.abort()
        return response

    async def _send_pictures(self, response: web.StreamResponse, connection: Connection) -> None:
        """Raises TimeoutError if the client takes nothing for too long."""
        sent: Keyframe | None = None
        await self._write(response, connection, _BEGIN)
        while (keyframe := await self._next(sent)) is not None:
            sent = keyframe
            try:
                picture = await self._stills.jpeg(keyframe)
            except NoStill:
                continue
            await self._write(response, connection, picture + _NEXT)
        await self._write(response, connection, _END.removeprefix(b"\r\n") if sent is None else _END)

    async def _next(self, sent: Keyframe | None) -> Keyframe | None:
        """Wait for another keyframe than the last that was sent; return None when the response is to end."""
        while self._may_go_on:
            if self._stills.last not in (None, sent):
                return self._stills.last
            await self._stills.change()
        return None

    @property
    def _may_go_on(self) -> bool:
        return not self._is_ended and self._stills.is_live and self._clock.monotonic() < self.grant.expires_at

    async def _write(self, response: web.StreamResponse, connection: Connection, data: bytes) -> None:
        """Write, and wait until the kernel has taken everything. Raises TimeoutError."""
        async with asyncio.timeout(STALL_LIMIT):
            await response.write(data)
            while connection.unsent_bytes:
                self._drained.clear()
                await self._drained.wait()

    def _connection(self) -> Connection:
        transport = self._request.transport
        if transport is None:
            raise ConnectionResetError
        connection = transport.get_protocol()
        assert isinstance(connection, Connection)
        connection.notify_when_drained(self._drained.set)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return connection
