"""Viewers, WebSockets and peer connections stay consistent in any order of events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMessage, WSMsgType
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broadcaster.auth.links import OPEN_GRANT
from broadcaster.errors import BadAnswer
from broadcaster.model.offers import Offer
from broadcaster.model.stats import PeerStats
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.ports import PeerListener
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.web.proxies import Caller
from broadcaster.web.viewer import Viewer
from broadcaster.web.viewers import Viewers
from tests.rigs.timetravel import TravelClock, travel_loop
from tests.unit.signaling_samples import CHROMIUM, OFFER

LIMIT = 3
LONGEST = 60.0
"""Seconds after which every silent viewer is gone."""


@dataclass
class Socket:
    """A WebSocket whose other end is the test (`web.websocket.WebSocket`)."""

    number: int
    caller: Caller = field(default_factory=lambda: Caller("192.0.2.7", by_proxy=False, secure=False))
    code: CloseCode | None = None
    sent: list[dict[str, object]] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.caller.address

    @property
    def reached_at(self) -> str:
        return "192.0.2.1"

    @property
    def is_closing(self) -> bool:
        return self.code is not None

    def send(self, text: bytes) -> None:
        assert not self.is_closing
        self.sent.append(json.loads(text))

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: CloseCode) -> None:
        self.code = self.code or code


class FaultyPeer:
    """A peer connection with the faults that its driver sets (`ports.Peer`)."""

    def __init__(self, driver: ViewersDriver, listener: PeerListener) -> None:
        self.listener = listener
        self.closed = False
        self._driver = driver

    async def offer(self) -> Offer:
        await asyncio.sleep(0.01)
        if self._driver.fault == "offer":
            raise KeyError("offer")
        return Offer(OFFER, addresses=frozenset({"192.0.2.1"}))

    async def answer(self, sdp: str) -> None:
        await asyncio.sleep(0)
        if self._driver.fault == "answer":
            raise BadAnswer("odd")
        if self._driver.fault == "parser":
            raise StopIteration

    async def add_candidate(self, candidate: object) -> None:
        if self._driver.fault == "candidate":
            raise KeyError("candidate")

    def request_keyframe(self) -> None:
        assert not self.closed

    def last_activity(self) -> float | None:
        return self._driver.clock.now if self._driver.media_flows else None

    def stats(self) -> PeerStats:
        return PeerStats()

    async def close(self) -> None:
        await asyncio.sleep(0.01)
        self.closed = True


class ViewersDriver:
    """Viewers on a fake clock, with a stream and peer connections under the test's control."""

    def __init__(self) -> None:
        self.clock = TravelClock()
        self.status = StreamStatus(StreamState.LIVE, 1.0, AudioState.ON)
        self.fault = ""
        self.media_flows = True
        self.peers: list[FaultyPeer] = []
        log = RateLimitedLogger(logging.getLogger("viewers"), self.clock)
        self.viewers = Viewers(LIMIT, self, self, self.clock, Timings(), log)  # type: ignore[arg-type]

    async def turn(self, *, answer: bool) -> None:
        pass

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> FaultyPeer:
        self.peers.append(FaultyPeer(self, listener))
        return self.peers[-1]


class ViewersMachine(RuleBasedStateMachine):
    """Lets viewers join, leave, resume, and send valid and invalid messages, while peer connections fail."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.driver = ViewersDriver()
        self.loop = travel_loop(self.driver.clock)
        self.attached: list[tuple[Socket, Viewer]] = []
        self.count = 0

    def run(self, seconds: float = 0.1) -> None:
        """Let time pass, and detach WebSockets that the daemon has closed."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        for pair in [pair for pair in self.attached if pair[0].is_closing]:
            self.attached.remove(pair)
            self.do(pair[1].detach, pair[0], None)
        self.loop.run_until_complete(asyncio.sleep(0.05))

    def do(self, step: Callable[..., Any], *arguments: object) -> Any:
        """Call `step` in the event loop."""

        async def call() -> Any:
            return step(*arguments)

        return self.loop.run_until_complete(call())

    @rule(resume=st.integers(-1, 5))
    def join(self, resume: int) -> None:
        secrets = [str(socket.sent[0]["resume"]) for socket, _ in self.attached]
        known = secrets[resume] if 0 <= resume < len(secrets) else ""
        self.count += 1
        socket = Socket(self.count)
        try:
            viewer = self.do(self.driver.viewers.welcome, known, socket, OPEN_GRANT)
        except Refusal:
            assert len(self.driver.viewers) == LIMIT
        else:
            self.attached.append((socket, viewer))
        self.run()

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), code=st.sampled_from([None, 1000, 1001, 4321]))
    def leave(self, which: int, code: int | None) -> None:
        socket, viewer = self.attached.pop(which % len(self.attached))
        self.do(viewer.detach, socket, None if code is None else WSMessage(WSMsgType.CLOSE, code, ""))
        self.run()

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), offset=st.integers(-1, 1), type=st.sampled_from(["answer", "candidate", "restart"]))
    def negotiate(self, which: int, offset: int, type: str) -> None:
        socket, _ = self.attached[which % len(self.attached)]
        offers = [message["id"] for message in socket.sent if message["type"] == "offer"]
        fields = {"type": type, "id": (offers or [1])[-1] + offset, "sdp": CHROMIUM, "reason": "no-frames"}
        fields["candidate"] = {"candidate": "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host"}
        self.send(which, json.dumps(fields))

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), text=st.sampled_from(["{", "[]", '{"type":"later"}', '{"type":"bye"}', "x" * 999]))
    def send(self, which: int, text: str) -> None:
        socket, viewer = self.attached[which % len(self.attached)]
        self.do(viewer.receive, socket, WSMessage(WSMsgType.TEXT, text, ""))
        self.run()

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), kind=st.sampled_from([WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG]))
    def frame(self, which: int, kind: WSMsgType) -> None:
        socket, viewer = self.attached[which % len(self.attached)]
        self.do(viewer.receive, socket, WSMessage(kind, b"x", ""))
        self.run()

    @precondition(lambda self: self.driver.peers)
    @rule(which=st.integers(0, 5), lost=st.booleans())
    def peer_event(self, which: int, lost: bool) -> None:
        listener = self.driver.peers[-1 - which % len(self.driver.peers)].listener
        self.do(listener.peer_lost if lost else listener.peer_connected)
        self.run()

    @rule(state=st.sampled_from(StreamState))
    def stream(self, state: StreamState) -> None:
        self.driver.status = StreamStatus(state, 2.0, AudioState.ON)
        self.do(self.driver.viewers._stream_changed, self.driver.status)
        self.run()

    @rule(fault=st.sampled_from(["", "", "offer", "answer", "parser", "candidate"]), flows=st.booleans())
    def set_faults(self, fault: str, flows: bool) -> None:
        self.driver.fault, self.driver.media_flows = fault, flows

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0]), answering=st.booleans())
    def wait(self, seconds: float, answering: bool) -> None:
        if answering:
            for socket, viewer in list(self.attached):
                for payload in socket.pings:
                    self.do(viewer.receive, socket, WSMessage(WSMsgType.PONG, payload, ""))
                socket.pings.clear()
        self.run(seconds)

    @invariant()
    def viewers_sockets_and_peers_agree(self) -> None:
        """Check within a second, which is enough for ended tasks to finish."""
        deadline = self.driver.clock.now + 1.0
        while self.inconsistencies() and self.driver.clock.now < deadline:
            self.run(0.0)
        assert not self.inconsistencies()

    def inconsistencies(self) -> list[str]:
        """Return descriptions of what is inconsistent."""
        viewers, stats = len(self.driver.viewers), self.driver.viewers.stats()
        peers = sum(not peer.closed for peer in self.driver.peers)
        offline = self.driver.status.state in (StreamState.OFFLINE, StreamState.STOPPING)
        checks = {
            "each viewer has a WebSocket or is detached": viewers
            == len(self.attached) + sum(one["kept"] for one in stats),
            "no more viewers than the limit": viewers <= LIMIT,
            "no stats of viewers that are gone": viewers == len(stats),
            "one WebSocket per viewer": len({viewer for _, viewer in self.attached}) == len(self.attached),
            "every peer connection belongs to a viewer": peers == sum(len(one["peers"]) for one in stats),
            "at most one peer connection per viewer": all(len(one["peers"]) <= 1 for one in stats),
            "no peer connection while offline": not (offline and peers),
            "one task per viewer": len(asyncio.all_tasks(self.loop)) == viewers,
        }
        return [what for what, is_true in checks.items() if not is_true]

    def teardown(self) -> None:
        """Silent viewers are gone in the end, and leave nothing behind."""
        try:
            self.driver.media_flows = False
            self.run(LONGEST)
            assert not self.attached
            self.viewers_sockets_and_peers_agree()
            assert len(self.driver.viewers) == 0
        finally:
            self.loop.run_until_complete(self.driver.viewers.close())
            self.loop.close()
            logging.disable(logging.NOTSET)


ViewersMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestViewersMachine = ViewersMachine.TestCase
