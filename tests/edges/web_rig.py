"""A real web server on loopback, with a stream and peer connections that only keep the books."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from broadcaster.errors import StreamReason
from broadcaster.model.offers import IceCandidate
from broadcaster.model.stats import Capacity, PeerStats, StreamReport, Traffic
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.ports import Offer, PeerListener
from broadcaster.settings import WebSettings
from broadcaster.signaling.protocol import SUBPROTOCOL, Timings
from broadcaster.storage.secrets import SecretFile, StateSecrets
from broadcaster.web.server import WebServer
from tests.unit.signaling_samples import CHROMIUM, OFFER

FAST = Timings(
    hello_timeout=0.3,
    ping_interval=0.2,
    pong_timeout=0.3,
    ask_after=0.4,
    server_timeout=0.6,
    connect_timeout=0.5,
    resume_timeout=0.5,
    viewers_interval=0.1,
    close_timeout=0.1,
)
CANDIDATE = {"candidate": "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


def no_capacity() -> Capacity:
    """A fan-out that has done nothing yet."""
    return Capacity(0, 2_500_000, 0.0, 0.0, False, Traffic())


class RealClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()


class BookLive:
    """A stream that is whatever the test says (`ports.StreamControl`)."""

    def __init__(self, state: StreamState) -> None:
        self.status = StreamStatus(state, 1.0, AudioState.ON)
        self.wishes: list[bool] = []
        self.listeners: list[Callable[[StreamStatus], None]] = []

    def become(self, state: StreamState, reason: StreamReason | None = None, sound: AudioState = AudioState.ON) -> None:
        self.status = StreamStatus(state, 2.0, sound, reason)
        for listener in list(self.listeners):
            listener(self.status)

    def set_live(self, live: bool) -> None:
        self.wishes.append(live)

    def toggle(self) -> None:
        raise AssertionError("nothing in web presses the button")

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def report(self) -> StreamReport:
        return StreamReport("test picture", "libx264", "test sound", 1280, 720, 30.0, 5, 2)


class BookPeer:
    """A peer connection that connects as soon as it is answered (`ports.Peer`)."""

    def __init__(self, viewer: str, listener: PeerListener) -> None:
        self.viewer = viewer
        self.listener = listener
        self.calls: list[str] = []
        self.candidates: list[IceCandidate] = []
        self.alive = True
        self.closed = False
        self.breaks: Exception | None = None

    async def offer(self) -> Offer:
        self.calls.append("offer")
        await asyncio.sleep(0)
        return Offer(OFFER, addresses=frozenset({"192.0.2.1"}))

    async def answer(self, sdp: str) -> None:
        self.calls.append("answer")
        if self.breaks is not None:
            raise self.breaks
        self.listener.peer_connected()

    async def add_candidate(self, candidate: IceCandidate) -> None:
        self.candidates.append(candidate)

    def request_keyframe(self) -> None:
        self.calls.append("keyframe")

    def last_activity(self) -> float | None:
        return time.monotonic() if self.alive else None

    def stats(self) -> PeerStats:
        return PeerStats(connected=True, bytes_sent=77)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


class BookPeers:
    """Makes them, and keeps them all (`ports.PeerFactory`)."""

    def __init__(self) -> None:
        self.made: list[BookPeer] = []
        self.reached_at: list[str] = []
        self.breaks: Exception | None = None
        self.hangs = False

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> BookPeer:
        peer = BookPeer(viewer, listener)
        self.reached_at.append(reached_at)
        peer.breaks = self.breaks
        if self.hangs:
            peer.offer = asyncio.Event().wait  # type: ignore[method-assign,assignment]
        self.made.append(peer)
        return peer

    @property
    def open(self) -> list[BookPeer]:
        return [peer for peer in self.made if not peer.closed]


class Talk:
    """A viewer's end of the WebSocket; pings are answered by aiohttp as long as somebody receives."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, type: str, **fields: object) -> None:
        await self.socket.send_json({"type": type, **fields})

    async def hear(self, type: str, limit: float = 2.0) -> dict[str, Any]:
        """The next message of that type; others are skipped."""
        async with asyncio.timeout(limit):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"{message} instead of {type}"
                fields: dict[str, Any] = json.loads(message.data)
                if fields["type"] == type:
                    return fields

    async def close_code(self, limit: float = 3.0) -> int | None:
        """How the daemon closes it."""
        async with asyncio.timeout(limit):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code

    async def play(self) -> dict[str, Any]:
        """Say hello, answer the offer, and give the peer connection a moment to connect."""
        await self.say("hello")
        welcome = await self.hear("welcome")
        await self.say("answer", id=(await self.hear("offer"))["id"], sdp=CHROMIUM)
        await asyncio.sleep(0.02)
        return welcome


class WebServerRig:
    """The server, its stream and its peer connections, and a client for them."""

    def __init__(
        self,
        state: StreamState,
        timings: Timings,
        link_key: SecretFile | None = None,
        made_token: SecretFile | None = None,
        **settings: Any,
    ) -> None:
        self.live = BookLive(state)
        self.peers = BookPeers()
        web = WebSettings(**{"host": "127.0.0.1", "port": 0, **settings})
        nothing = SecretFile(Path("/dev/null/nothing"))
        secrets = StateSecrets(link_key or nothing, made_token or nothing) if link_key or made_token else None
        self.server = WebServer(web, self.peers, self.live, RealClock(), "1.2.3", no_capacity, timings, secrets)
        self.client = aiohttp.ClientSession()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def talk(self, **headers: str) -> Talk:
        """Open a WebSocket as a viewer does."""
        socket = await self.client.ws_connect(f"{self.url}/ws", protocols=[SUBPROTOCOL], headers=headers, compress=0)
        return Talk(socket)

    async def is_clean(self, limit: float = 1.0) -> bool:
        """Whether, a second later, nothing of any viewer is left."""
        for _ in range(int(limit / 0.01)):
            if not (self.peers.open or left_over() or self.server.viewers):
                return True
            await asyncio.sleep(0.01)
        return False


def left_over() -> list[str]:
    """Names of tasks that belong to a viewer."""
    names = [task.get_name() for task in asyncio.all_tasks() if not task.done()]
    return [name for name in names if name.startswith(("viewer", "websocket"))]


@contextlib.asynccontextmanager
async def served(
    state: StreamState = StreamState.LIVE, timings: Timings | None = None, **settings: Any
) -> AsyncIterator[WebServerRig]:
    """A running server, closed at the end: nothing may be left."""
    rig = WebServerRig(state, timings or Timings(close_timeout=0.1), **settings)
    try:
        await rig.server.start()
        yield rig
    finally:
        await rig.server.close()
        await rig.client.close()
    assert not rig.peers.open
    assert not left_over()
    assert not rig.live.listeners
