"""Viewers of `/media` that only count and acknowledge, in a process of their own.

`python -m tests.bench.media_crowd PORT NUMBER` lets NUMBER viewers play, prints a line of JSON when all of them have
received a keyframe, and one for each line on its standard input, until that ends.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import struct
import sys
from types import TracebackType
from typing import Any

import aiohttp

from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from broadcaster.signaling.protocol import SUBPROTOCOL

_HEARTBEAT = 2.0


class MediaCrowd:
    """The process with these viewers; use it with `async with`, which waits until each has received a keyframe."""

    def __init__(self, port: int, viewers: int) -> None:
        self._command = [sys.executable, "-m", "tests.bench.media_crowd", str(port), str(viewers)]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> MediaCrowd:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        await self._read()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def counts(self) -> list[int]:
        """Return how many messages each viewer has received."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        counts: list[int] = await self._read()
        return counts

    async def _read(self) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        return json.loads(line)


class CountingPlayer(asyncio.Protocol):
    """A WebSocket client on a TCP connection: counts binary messages, and acknowledges each."""

    def __init__(self, port: int, ticket: str) -> None:
        self.count = 0
        self.playing = asyncio.Event()
        self._port = port
        self._ticket = ticket
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /media HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Protocol: {MEDIA_SUBPROTOCOL}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del self._buffer[: end + 4]
            self._upgraded = True
            self._send(b'{"type":"open","ticket":"%s"}' % self._ticket.encode())
        received = self.count
        while (size := self._frame_size()) is not None:
            self.count += self._buffer[0] == 0x82
            del self._buffer[:size]
        for count in range(received + 1, self.count + 1):
            self._send(b'{"type":"ack","count":%d}' % count)
        if self.count > 1:
            self.playing.set()

    def _frame_size(self) -> int | None:
        """Return the size of the frame at the start of the buffer; None if it is not complete."""
        if len(self._buffer) < 2:
            return None
        size = self._buffer[1] + 2
        if size == 128 and len(self._buffer) >= 4:
            size = 4 + int(struct.unpack_from("!H", self._buffer, 2)[0])
        elif size == 129 and len(self._buffer) >= 10:
            size = 10 + int(struct.unpack_from("!Q", self._buffer, 2)[0])
        return size if len(self._buffer) >= size else None

    def _send(self, text: bytes) -> None:
        """Send a short text frame; the mask of zeros leaves the text as it is (RFC 6455 §5.3)."""
        self._transport.write(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)


async def _join(http: aiohttp.ClientSession, port: int) -> CountingPlayer:
    """Open a session that answers its pings and sends heartbeats, and play."""
    socket = await http.ws_connect(f"http://127.0.0.1:{port}/ws", protocols=[SUBPROTOCOL])
    await socket.send_json({"type": "hello"})
    welcome = await socket.receive_json()
    tasks.update((asyncio.create_task(_drain(socket)), asyncio.create_task(_beat(socket))))
    player = CountingPlayer(port, welcome["media"]["ticket"])
    await asyncio.get_running_loop().create_connection(lambda: player, "127.0.0.1", port)
    await player.playing.wait()
    return player


tasks: set[asyncio.Task[None]] = set()


async def _drain(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


async def _beat(socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while not socket.closed:
            await socket.send_json({"type": "heartbeat"})
            await asyncio.sleep(_HEARTBEAT)


async def _main(port: int, viewers: int) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        players = [await _join(http, port) for _ in range(viewers)]
        print(json.dumps([player.count for player in players]), flush=True)
        while await reader.readline():
            print(json.dumps([player.count for player in players]), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
