"""A real web server whose `/media` sends the fake camera and microphone, and viewers that play it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.fakes.camera import FakeCamera, FakeMicrophone
from broadcaster.errors import SourceError
from broadcaster.media.mp4_reader import Movie, read
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from broadcaster.signaling.protocol import Timings
from broadcaster.stream.hub import Hub
from tests.edges.web_rig import SignalingClient, WebServerRig, served


class HubSink:
    """Publishes what the fakes deliver."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def picture(self, unit: AccessUnit) -> None:
        self._hub.publish_video(unit)

    def frame(self, frame: OpusFrame) -> None:
        self._hub.publish_audio(frame)

    def failed(self, error: SourceError) -> None:
        raise AssertionError(error)


@dataclass
class MediaPlayer:
    """The media WebSocket of a viewer; `inits` are the announcements, `segments` the binary messages."""

    socket: aiohttp.ClientWebSocketResponse
    inits: list[dict[str, Any]] = field(default_factory=list)
    segments: list[bytes] = field(default_factory=list)
    acknowledges: bool = True

    async def receive(self) -> bytes | None:
        """Receive one message and acknowledge it; None if it is no binary one."""
        message = await self.socket.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.TEXT:
            self.inits.append(json.loads(message.data))
            return None
        assert message.type is aiohttp.WSMsgType.BINARY, message
        self.segments.append(message.data)
        if self.acknowledges:
            await self.ack(len(self.segments))
        return bytes(message.data)

    async def ack(self, count: int) -> None:
        """Acknowledge so many messages."""
        await self.socket.send_json({"type": "ack", "count": count})

    async def play(self, messages: int) -> None:
        """Receive so many more binary messages."""
        wanted = len(self.segments) + messages
        while len(self.segments) < wanted:
            await self.receive()

    async def close_code(self, limit: float = 3.0) -> int | None:
        """Wait until the daemon closes the WebSocket, and return the code."""
        async with asyncio.timeout(limit):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code

    @property
    def movie(self) -> Movie:
        """What all binary messages together contain; of several init segments, only the first one is read."""
        return read(self.segments[0] + b"".join(one for one in self.segments[1:] if one[4:8] != b"ftyp"))


@dataclass
class MediaRig:
    """The server, the hub behind it, and its sources."""

    web: WebServerRig
    hub: Hub
    stream: MuxedStream
    camera: FakeCamera
    microphone: FakeMicrophone

    async def join(self) -> tuple[SignalingClient, str]:
        """Open a session, and return it with its ticket."""
        client = await self.web.connect()
        await client.send("hello")
        welcome = await client.receive("welcome")
        return client, welcome["media"]["ticket"]

    async def connect(self, **headers: str) -> MediaPlayer:
        """Open a WebSocket to `/media`; no ticket is sent yet."""
        url = f"{self.web.url}/media"
        socket = await self.web.client.ws_connect(url, protocols=[MEDIA_SUBPROTOCOL], headers=headers, compress=0)
        return MediaPlayer(socket)

    async def open(self, ticket: str) -> MediaPlayer:
        """Open a WebSocket to `/media` with this ticket."""
        player = await self.connect()
        await player.socket.send_json({"type": "open", "ticket": ticket})
        return player


@contextlib.asynccontextmanager
async def media_served(
    timings: Timings | None = None, state: StreamState = StreamState.LIVE, **settings: Any
) -> AsyncIterator[MediaRig]:
    """Run a server whose stream delivers 30 pictures and 50 audio frames per second; it must leave nothing behind."""
    clock = SystemClock()
    hub = Hub(clock)
    camera, microphone = FakeCamera(clock, real_time=True), FakeMicrophone(clock, real_time=True)
    stream = MuxedStream(hub, clock, lambda: True)
    sink = HubSink(hub)
    async with served(state, timings, media=stream, **settings) as web:
        hub.attach(camera)
        await camera.open(sink)
        await microphone.open(sink)
        try:
            yield MediaRig(web, hub, stream, camera, microphone)
        finally:
            await microphone.close()
            await camera.close()
    assert not len(stream)
