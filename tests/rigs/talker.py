"""A signaling-only viewer: sends messages over a real WebSocket, and reports the close code."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence

import aiohttp

from broadcaster.signaling.protocol import SUBPROTOCOL, CloseCode

ORDERLY = (
    CloseCode.NORMAL, CloseCode.PROTOCOL_ERROR, CloseCode.TOO_MANY, CloseCode.TOKEN, CloseCode.FULL,
)  # fmt: skip
"""Close codes with which a healthy daemon disconnects a misbehaving viewer."""


async def talk(port: int, messages: Sequence[str], *, hello: bool = True, limit: float = 20.0) -> int | None:
    """Send `hello` if requested, then `messages`, then `bye`; return the close code, None for an abnormal closure."""
    url = f"ws://127.0.0.1:{port}/ws"
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=[SUBPROTOCOL]) as socket:
        if hello:
            await socket.send_json({"type": "hello"})
            first = await socket.receive(timeout=limit)
            if first.type is not aiohttp.WSMsgType.TEXT or json.loads(first.data)["type"] != "welcome":
                return await _code(socket, limit)
        with contextlib.suppress(ConnectionResetError):  # the daemon may close earlier
            for message in [*messages, '{"type":"bye"}']:
                await socket.send_str(message)
        return await _code(socket, limit)


async def _code(socket: aiohttp.ClientWebSocketResponse, limit: float) -> int | None:
    async with asyncio.timeout(limit):
        while not socket.closed:
            await socket.receive()
    return socket.close_code if socket.close_code != aiohttp.WSCloseCode.ABNORMAL_CLOSURE else None
