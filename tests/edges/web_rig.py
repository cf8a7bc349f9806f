"""A real web server on loopback, with a stream and peer connections that record what the server does with them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from broadcaster.devices.clock import SystemClock
from broadcaster.errors import StreamReason
from broadcaster.model.offers import Answer, IceCandidate, Offer
from broadcaster.model.stats import Capacity, PeerStats, StreamReport, Traffic
from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState, StreamStatus
from broadcaster.outputs.muxed import MuxedStream
from broadcaster.ports import PeerListener
from broadcaster.settings import WebSettings
from broadcaster.signaling.player_answer import Ssrcs, write_answer
from broadcaster.signaling.player_offer import PlayerOffer
from broadcaster.signaling.protocol import SUBPROTOCOL, Timings
from broadcaster.storage.secrets import SecretFile, StateSecrets
from broadcaster.web.server import WebServer
from tests.unit.player_offers import DESCRIPTION
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
    player_silence=0.5,
    close_timeout=0.1,
)
CANDIDATE = {"candidate": "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


def idle_capacity() -> Capacity:
    """Return the capacity of a fan-out without traffic."""
    return Capacity(0, 2_500_000, 0.0, 0.0, False, Traffic())


class ControlledStream:
    """A stream whose status the test sets; records the requested states (`ports.StreamControl`)."""

    def __init__(self, state: StreamState) -> None:
        self.status = StreamStatus(state, 1.0, AudioState.ON)
        self.requested: list[bool] = []
        self.listeners: list[Callable[[StreamStatus], None]] = []
        self.muted = False
        self.has_audio = True

    def mute(self, muted: bool) -> None:
        self.muted = muted and self.has_audio

    def change(
        self,
        state: StreamState,
        reason: StreamReason | None = None,
        audio: AudioState = AudioState.ON,
        *,
        has_small: bool = False,
    ) -> None:
        """Change the status, and notify the listeners."""
        self.status = StreamStatus(state, 2.0, audio, reason, has_small)
        for listener in list(self.listeners):
            listener(self.status)

    def set_live(self, live: bool) -> None:
        self.requested.append(live)

    def toggle(self) -> None:
        raise AssertionError("the web server never toggles the stream")

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def report(self) -> StreamReport:
        return StreamReport("test picture", "libx264", "test sound", 1280, 720, 30.0, 5, 2)


class RecordingPeer:
    """A peer connection that is connected as soon as it gets an answer; records the calls (`ports.Peer`)."""

    def __init__(self, viewer: str, listener: PeerListener) -> None:
        self.viewer = viewer
        self.listener = listener
        self.calls: list[str] = []
        self.candidates: list[IceCandidate] = []
        self.is_active = True
        self.closed = False
        self.answer_error: Exception | None = None
        self.preference = QualityPreference.AUTO

    async def offer(self) -> Offer:
        self.calls.append("offer")
        await asyncio.sleep(0)
        return Offer(OFFER, addresses=frozenset({"192.0.2.1"}))

    async def answer(self, sdp: str) -> None:
        self.calls.append("answer")
        if self.answer_error is not None:
            raise self.answer_error
        self.listener.peer_connected()

    async def add_candidate(self, candidate: IceCandidate) -> None:
        self.candidates.append(candidate)

    def prefer(self, preference: QualityPreference, last: Quality = Quality.FULL) -> None:
        self.preference, self.last_quality = preference, last

    def request_keyframe(self) -> None:
        self.calls.append("keyframe")

    def last_activity(self) -> float | None:
        return time.monotonic() if self.is_active else None

    def stats(self) -> PeerStats:
        return PeerStats(connected=True, bytes_sent=77)

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed = True


class RecordingPlayerPeer(RecordingPeer):
    """A peer connection that answers a player, and is connected when the test says so (`ports.PlayerPeer`)."""

    def __init__(self, viewer: str, listener: PeerListener, offer: PlayerOffer, peers: RecordingPeers) -> None:
        super().__init__(viewer, listener)
        self._offer, self._peers = offer, peers

    async def answer(self) -> Answer:  # type: ignore[override]
        self.calls.append("answer")
        await self._peers.may_answer.wait()
        if self.answer_error is not None:
            raise self.answer_error
        sdp = write_answer(self._offer, DESCRIPTION, Ssrcs(1, 2, 3))
        return Answer(sdp, self._peers.ice_servers(self.viewer), frozenset({"192.0.2.1"}))


class RecordingPeers:
    """Creates peer connections, and keeps all of them (`ports.PeerFactory`)."""

    with_audio = True

    def __init__(self) -> None:
        self.created: list[RecordingPeer] = []
        self.servers: tuple[dict[str, Any], ...] = ()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.reached_at: list[str] = []
        self.answer_error: Exception | None = None
        self.offer_hangs = False

    async def turn(self, *, answer: bool) -> None:
        pass

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> RecordingPeer:
        peer = RecordingPeer(viewer, listener)
        self.reached_at.append(reached_at)
        peer.answer_error = self.answer_error
        if self.offer_hangs:
            peer.offer = asyncio.Event().wait  # type: ignore[method-assign,assignment]
        self.created.append(peer)
        return peer

    def create_player(
        self, viewer: str, listener: PeerListener, offer: PlayerOffer, reached_at: str = ""
    ) -> RecordingPlayerPeer:
        peer = RecordingPlayerPeer(viewer, listener, offer, self)
        self.reached_at.append(reached_at)
        peer.answer_error = self.answer_error
        self.created.append(peer)
        return peer

    def ice_servers(self, viewer: str) -> tuple[dict[str, Any], ...]:
        return self.servers

    @property
    def open(self) -> list[RecordingPeer]:
        return [peer for peer in self.created if not peer.closed]


class SignalingClient:
    """A viewer's end of the WebSocket; aiohttp answers pings while a message is being received."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, type: str, **fields: object) -> None:
        """Send a message."""
        await self.socket.send_json({"type": type, **fields})

    async def receive(self, type: str, limit: float = 2.0) -> dict[str, Any]:
        """Return the next message of that type, skipping others."""
        async with asyncio.timeout(limit):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"{message} instead of {type}"
                fields: dict[str, Any] = json.loads(message.data)
                if fields["type"] == type:
                    return fields

    async def close_code(self, limit: float = 3.0) -> int | None:
        """Wait until the daemon closes the WebSocket, and return the code."""
        async with asyncio.timeout(limit):
            while not self.socket.closed:
                await self.socket.receive()
        return self.socket.close_code

    async def join(self) -> dict[str, Any]:
        """Send `hello`, answer the offer, and wait until that is processed; return the `welcome`."""
        await self.send("hello")
        welcome = await self.receive("welcome")
        await self.send("answer", id=(await self.receive("offer"))["id"], sdp=CHROMIUM)
        await asyncio.sleep(0.02)
        return welcome


class WebServerRig:
    """The server with its stream and peer connections, and an HTTP client."""

    def __init__(
        self,
        state: StreamState,
        timings: Timings,
        link_key: SecretFile | None = None,
        operator_token_file: SecretFile | None = None,
        media: MuxedStream | None = None,
        state_folder: Path | None = None,
        **settings: Any,
    ) -> None:
        self.stream = ControlledStream(state)
        self.peers = RecordingPeers()
        web = WebSettings(**{"host": "127.0.0.1", "port": 0, **settings})
        nothing = SecretFile(Path("/dev/null/nothing"))
        has_secrets = link_key is not None or operator_token_file is not None
        secrets = StateSecrets(link_key or nothing, operator_token_file or nothing, state_folder)
        self.server = WebServer(
            web, self.peers, self.stream, SystemClock(), "1.2.3", idle_capacity, timings,
            secrets if has_secrets else None, media,
        )  # fmt: skip
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def connect(self, **headers: str) -> SignalingClient:
        """Open a WebSocket as a viewer does."""
        socket = await self.client.ws_connect(f"{self.url}/ws", protocols=[SUBPROTOCOL], headers=headers, compress=0)
        return SignalingClient(socket)

    async def is_clean(self, limit: float = 1.0) -> bool:
        """Whether, within `limit` seconds, no viewer has left any session, task or peer connection."""
        for _ in range(int(limit / 0.01)):
            if not (self.peers.open or viewer_tasks() or self.server.viewers):
                return True
            await asyncio.sleep(0.01)
        return False


async def until(condition: Callable[[], bool], limit: float = 10.0) -> None:
    """Wait until the condition is true."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


def viewer_tasks() -> list[str]:
    """Return the names of running tasks that belong to viewers."""
    names = [task.get_name() for task in asyncio.all_tasks() if not task.done()]
    return [name for name in names if name.startswith(("viewer", "websocket"))]


@contextlib.asynccontextmanager
async def served(
    state: StreamState = StreamState.LIVE, timings: Timings | None = None, **settings: Any
) -> AsyncIterator[WebServerRig]:
    """Run a server, and check that it leaves nothing behind when it is closed."""
    rig = WebServerRig(state, timings or Timings(close_timeout=0.1), **settings)
    try:
        await rig.server.start()
        yield rig
    finally:
        await rig.server.close()
        await rig.client.close()
    assert not rig.peers.open
    assert not viewer_tasks()
    assert not rig.stream.listeners
