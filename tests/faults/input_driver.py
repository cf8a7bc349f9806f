"""Sends raw input to a real daemon, while a viewer watches whose video must not be interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.faults.continuity import LONGEST_PAUSE, uninterrupted
from tests.rigs.healthy import HealthyViewer
from tests.rigs.scripted import ScriptedDaemon

MESSAGE_DELAY = 0.05
"""Seconds until the test has received what the daemon sent in time."""


class RawSession:
    """A WebSocket to the daemon that sends and receives single messages."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, type: str, **fields: object) -> None:
        await self.socket.send_json({"type": type, **fields})

    async def receive(self, type: str) -> dict[str, Any]:
        """Wait for the next message of that type."""
        async with asyncio.timeout(10):
            while True:
                frame = await self.socket.receive()
                assert frame.type is aiohttp.WSMsgType.TEXT, f"{frame} instead of {type}"
                message: dict[str, Any] = json.loads(frame.data)
                if message["type"] == type:
                    return message

    async def open(self, **hello: object) -> dict[str, Any]:
        """Send `hello`, and return the offer."""
        await self.send("hello", **hello)
        return await self.receive("offer")

    async def close_code(self) -> int | None:
        """Wait until the daemon closes the WebSocket, and return its close code."""
        async with asyncio.timeout(15):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code


@contextlib.asynccontextmanager
async def open_session(daemon: ScriptedDaemon, **headers: str) -> AsyncIterator[RawSession]:
    """Connect a WebSocket; `hello` is not sent yet."""
    url = f"ws://127.0.0.1:{daemon.port}/ws"
    protocols = [SUBPROTOCOL]
    async with aiohttp.ClientSession() as http, http.ws_connect(url, protocols=protocols, headers=headers) as socket:
        yield RawSession(socket)


@contextlib.asynccontextmanager
async def daemon_with_viewer(**settings: Any) -> AsyncIterator[ScriptedDaemon]:
    """Run a daemon with a viewer whose video must not be interrupted."""
    async with watched_daemon(**settings) as (daemon, _):
        yield daemon


@contextlib.asynccontextmanager
async def watched_daemon(**settings: Any) -> AsyncIterator[tuple[ScriptedDaemon, HealthyViewer]]:
    """Run a daemon with a viewer whose video must not be interrupted, and return both."""
    hello = {"token": settings["web__viewer_token"]} if "web__viewer_token" in settings else {}
    async with ScriptedDaemon(**settings) as daemon, HealthyViewer(daemon.port, **hello) as viewer:
        await viewer.keyframe()
        async with uninterrupted(viewer):
            yield daemon, viewer
            await asyncio.sleep(LONGEST_PAUSE)
        assert "Traceback" not in daemon.log


async def viewer_stats(daemon: ScriptedDaemon) -> list[dict[str, Any]]:
    """Return the operator's view of each viewer."""
    status: Any = await daemon.status()
    return list(status["viewer_figures"])


def candidate(address: str, port: int, protocol: str = "udp") -> str:
    """Return a candidate line of type host."""
    return f"candidate:1 1 {protocol} 1677729535 {address} {port} typ host"


async def upgrade(daemon: ScriptedDaemon, **headers: str) -> int:
    """Return the HTTP status of a WebSocket handshake."""
    try:
        async with open_session(daemon, **headers):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def send_raw(daemon: ScriptedDaemon, text: bytes) -> tuple[bytes, float]:
    """Send `text` over TCP; return the answer and the seconds until the daemon closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    began = time.monotonic()
    writer.write(text)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer, time.monotonic() - began
