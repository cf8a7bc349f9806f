"""A reverse proxy that serves a daemon below a path, and may replace `Host`, as badly configured proxies do."""

from __future__ import annotations

import asyncio
import contextlib
import re

_HOST = re.compile(rb"\r\nHost: [^\r]*", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nConnection: [^\r]*", re.IGNORECASE)


class PathProxy:
    """Listens on a free port on 127.0.0.1; use it with `async with`.

    `path` starts with a slash and does not end with one. `host` replaces the `Host` header of the browser.
    """

    def __init__(self, upstream: int, path: str = "", host: str | None = None) -> None:
        self.host = host
        self._upstream = upstream
        self._path = path.encode()
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f"http://127.0.0.1:{self._port}{self._path.decode()}/"

    async def __aenter__(self) -> PathProxy:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which carries one request or a WebSocket."""
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = self._rewritten(await reader.readuntil(b"\r\n\r\n"))
            if head is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            answer, request = await asyncio.open_connection("127.0.0.1", self._upstream)
            with contextlib.closing(request):
                request.write(head)
                directions = [asyncio.create_task(_pump(reader, request)), asyncio.create_task(_pump(answer, writer))]
                try:
                    await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for direction in directions:
                        direction.cancel()

    def _rewritten(self, head: bytes) -> bytes | None:
        """Return the request head for the daemon; None if the path is not below ours."""
        method, target, rest = head.split(b" ", 2)
        if not target.startswith(self._path + b"/"):
            return None
        if b"upgrade: websocket" not in head.lower():
            rest = _CONNECTION.sub(b"", rest).replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        if self.host is not None:
            rest = _HOST.sub(b"\r\nHost: " + self.host.encode(), rest)
        return b" ".join((method, target[len(self._path) :], rest))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
