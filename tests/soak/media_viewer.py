"""A viewer in a process of its own that behaves like the page in a browser without WebRTC: it plays `/media`.

`python -m tests.soak.media_viewer PORT [HOST]` does what `tests.soak.page_like` does, with pictures from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter
from typing import Any

import aiohttp

from broadcaster.media.mp4_reader import read
from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from tests.soak.page_like import NO_VIDEO_LIMIT, PageLikeViewer, main

_RETRY = 1.0
_TICKET_LIMIT = 3.0
_NETWORK_ERRORS = (aiohttp.ClientError, OSError, TimeoutError, AttributeError)
"""AttributeError: there was no connection yet."""


class MediaViewer(PageLikeViewer):
    """Answers no offer, and opens `/media` again whenever it closes or falls silent while the stream is live."""

    def __init__(self, address: tuple[int, str], seconds: Counter[int]) -> None:
        super().__init__(address, seconds)
        self._media_url = "http://{1}:{0}/media".format(*address)
        self._tickets: asyncio.Queue[str] = asyncio.Queue()

    async def watch(self) -> None:
        playing = asyncio.create_task(self._keep_playing())
        try:
            await super().watch()
        finally:
            playing.cancel()
            await asyncio.wait({playing})

    async def _handle(self, message: dict[str, Any]) -> None:
        if message["type"] == "offer":
            return
        await super()._handle(message)
        if message["type"] == "welcome":
            self._tickets.put_nowait(message["media"]["ticket"])
        elif message["type"] == "media":
            self._tickets.put_nowait(message["ticket"])

    async def _keep_playing(self) -> None:
        while True:
            with contextlib.suppress(*_NETWORK_ERRORS):
                await self._play(await asyncio.wait_for(self._newest_ticket(), _TICKET_LIMIT))
            await asyncio.sleep(_RETRY)
            with contextlib.suppress(*_NETWORK_ERRORS):
                await self.send(type="media")

    async def _newest_ticket(self) -> str:
        ticket = await self._tickets.get()
        while not self._tickets.empty():
            ticket = self._tickets.get_nowait()
        return ticket

    async def _play(self, ticket: str) -> None:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(self._media_url, protocols=[MEDIA_SUBPROTOCOL], compress=0) as socket,
        ):
            await socket.send_json({"type": "open", "ticket": ticket})
            count, init = 0, b""
            while (message := await self._receive(socket)) is not None:
                if message.type is not aiohttp.WSMsgType.BINARY:
                    continue
                count += 1
                await socket.send_json({"type": "ack", "count": count})
                if message.data[4:8] == b"ftyp":
                    init = message.data
                else:
                    self._show(read(init + message.data).fragments[0].video)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage | None:
        """Return the next message; None if the socket closes, or falls silent while the stream is live."""
        while True:
            try:
                message = await socket.receive(timeout=NO_VIDEO_LIMIT)
            except TimeoutError:
                if self._live:
                    return None
                continue
            is_data = message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)
            return message if is_data else None

    def _show(self, pictures: Any) -> None:
        self._seconds[math.floor(time.monotonic())] += len(pictures)


if __name__ == "__main__":
    asyncio.run(main(MediaViewer, sys.argv[1:]))
