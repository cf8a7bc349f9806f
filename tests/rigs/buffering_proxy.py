"""A proxy that buffers without limit, in front of a slow network: as tunnels and proxies of companies do."""

from __future__ import annotations

import asyncio
import contextlib
import math

_PART = 1400
"""Bytes that are delivered at a time, so that a new rate takes effect at once."""


class BufferingProxy:
    """Forwards to a local port; an async context manager. `rate` limits what browsers receive, in bit/s together."""

    def __init__(self, upstream: int, rate: float = math.inf) -> None:
        self.rate = rate
        self._upstream = upstream
        self._connections: set[asyncio.Task[None]] = set()
        self._busy_until = 0.0

    @property
    def url(self) -> str:
        """URL of the page."""
        return f"http://127.0.0.1:{self._port}/"

    async def __aenter__(self) -> BufferingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        answer, request = await asyncio.open_connection("127.0.0.1", self._upstream)
        # `asyncio.start_server` reports cancelled tasks as errors.
        with contextlib.closing(writer), contextlib.closing(request), contextlib.suppress(asyncio.CancelledError):
            waiting: asyncio.Queue[bytes] = asyncio.Queue()
            parts = (_forward(reader, request), _read(answer, waiting), self._deliver(waiting, writer))
            tasks = [asyncio.create_task(part) for part in parts]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if tasks[1].done():
                    await tasks[2]  # delivers the rest
            finally:
                for part in tasks:
                    part.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, waiting: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await waiting.get():
            for start in range(0, len(data), _PART):
                part = data[start : start + _PART]
                self._busy_until = max(self._busy_until, loop.time()) + len(part) * 8 / self.rate
                await asyncio.sleep(self._busy_until - loop.time())
                writer.write(part)
                await writer.drain()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def _read(reader: asyncio.StreamReader, waiting: asyncio.Queue[bytes]) -> None:
    data = b" "
    while data:
        data = await reader.read(65536)
        waiting.put_nowait(data)
