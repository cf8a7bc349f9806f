"""No order of events makes the daemon lose count: viewers, their WebSockets and their peer connections agree."""

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
from broadcaster.model.stats import PeerStats
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.ports import Offer, PeerListener
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.web.proxies import Caller
from broadcaster.web.viewer import Viewer
from broadcaster.web.viewers import Viewers
from tests.rigs.timetravel import TravelClock, travel_loop
from tests.unit.signaling_samples import CHROMIUM, OFFER

PLACES = 3
LONGEST = 60.0
"""Seconds after which nobody is left who has said nothing."""


@dataclass
class Socket:
    """A WebSocket whose other end is the test (`web.websocket.WebSocket`)."""

    number: int
    caller: Caller = field(default_factory=lambda: Caller("192.0.2.7", by_proxy=False, secure=False))
    code: CloseCode | None = None
    said: list[dict[str, object]] = field(default_factory=list)
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
        self.said.append(json.loads(text))

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: CloseCode) -> None:
        self.code = self.code or code


class Peer:
    """A peer connection that does what the dice say (`ports.Peer`)."""

    def __init__(self, rig: Rig, listener: PeerListener) -> None:
        self.listener = listener
        self.closed = False
        self._rig = rig

    async def offer(self) -> Offer:
        await asyncio.sleep(0.01)
        if self._rig.breaks == "offer":
            raise KeyError("offer")
        return Offer(OFFER, addresses=frozenset({"192.0.2.1"}))

    async def answer(self, sdp: str) -> None:
        await asyncio.sleep(0)
        if self._rig.breaks == "answer":
            raise BadAnswer("odd")
        if self._rig.breaks == "parser":
            raise StopIteration

    async def add_candidate(self, candidate: object) -> None:
        if self._rig.breaks == "candidate":
            raise KeyError("candidate")

    def request_keyframe(self) -> None:
        assert not self.closed

    def last_activity(self) -> float | None:
        return self._rig.clock.now if self._rig.media_flows else None

    def stats(self) -> PeerStats:
        return PeerStats()

    async def close(self) -> None:
        await asyncio.sleep(0.01)
        self.closed = True


class Rig:
    """Viewers on a clock of their own, with a stream and peer connections that the test governs."""

    def __init__(self) -> None:
        self.clock = TravelClock()
        self.status = StreamStatus(StreamState.LIVE, 1.0, AudioState.ON)
        self.breaks = ""
        self.media_flows = True
        self.peers: list[Peer] = []
        log = RateLimitedLogger(logging.getLogger("viewers"), self.clock)
        self.viewers = Viewers(PLACES, self, self, self.clock, Timings(), log)  # type: ignore[arg-type]

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        self.peers.append(Peer(self, listener))
        return self.peers[-1]


class ViewersMachine(RuleBasedStateMachine):
    """Joins, leaves, vanishes, comes back, says things right and wrong, while peer connections break."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.rig = Rig()
        self.loop = travel_loop(self.rig.clock)
        self.attached: list[tuple[Socket, Viewer]] = []
        self.count = 0

    def run(self, seconds: float = 0.1) -> None:
        """Let time pass; who was told goodbye is gone then."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        for pair in [pair for pair in self.attached if pair[0].is_closing]:
            self.attached.remove(pair)
            self.do(pair[1].detach, pair[0], None)
        self.loop.run_until_complete(asyncio.sleep(0.05))

    def do(self, step: Callable[..., Any], *arguments: object) -> Any:
        """Let it happen in the loop."""

        async def happen() -> Any:
            return step(*arguments)

        return self.loop.run_until_complete(happen())

    @rule(resume=st.integers(-1, 5))
    def join(self, resume: int) -> None:
        secrets = [str(socket.said[0]["resume"]) for socket, _ in self.attached]
        known = secrets[resume] if 0 <= resume < len(secrets) else ""
        self.count += 1
        socket = Socket(self.count)
        try:
            viewer = self.do(self.rig.viewers.welcome, known, socket, OPEN_GRANT)
        except Refusal:
            assert len(self.rig.viewers) == PLACES
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
    @rule(which=st.integers(0, 5), wrong=st.integers(-1, 1), word=st.sampled_from(["answer", "candidate", "restart"]))
    def negotiate(self, which: int, wrong: int, word: str) -> None:
        socket, _ = self.attached[which % len(self.attached)]
        offers = [message["id"] for message in socket.said if message["type"] == "offer"]
        fields = {"type": word, "id": (offers or [1])[-1] + wrong, "sdp": CHROMIUM, "reason": "no-frames"}
        fields["candidate"] = {"candidate": "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host"}
        self.say(which, json.dumps(fields))

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), text=st.sampled_from(["{", "[]", '{"type":"later"}', '{"type":"bye"}', "x" * 999]))
    def say(self, which: int, text: str) -> None:
        socket, viewer = self.attached[which % len(self.attached)]
        self.do(viewer.receive, socket, WSMessage(WSMsgType.TEXT, text, ""))
        self.run()

    @precondition(lambda self: self.attached)
    @rule(which=st.integers(0, 5), kind=st.sampled_from([WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG]))
    def frame(self, which: int, kind: WSMsgType) -> None:
        socket, viewer = self.attached[which % len(self.attached)]
        self.do(viewer.receive, socket, WSMessage(kind, b"x", ""))
        self.run()

    @precondition(lambda self: self.rig.peers)
    @rule(which=st.integers(0, 5), lost=st.booleans())
    def peer_tells(self, which: int, lost: bool) -> None:
        listener = self.rig.peers[-1 - which % len(self.rig.peers)].listener
        self.do(listener.peer_lost if lost else listener.peer_connected)
        self.run()

    @rule(state=st.sampled_from(StreamState))
    def stream(self, state: StreamState) -> None:
        self.rig.status = StreamStatus(state, 2.0, AudioState.ON)
        self.do(self.rig.viewers._stream_changed, self.rig.status)
        self.run()

    @rule(breaks=st.sampled_from(["", "", "offer", "answer", "parser", "candidate"]), flows=st.booleans())
    def fate(self, breaks: str, flows: bool) -> None:
        self.rig.breaks, self.rig.media_flows = breaks, flows

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
        """At once, or as soon as what ends has ended: a second is time for that."""
        deadline = self.rig.clock.now + 1.0
        while self.disagreements() and self.rig.clock.now < deadline:
            self.run(0.0)
        assert not self.disagreements()

    def disagreements(self) -> list[str]:
        """What does not fit, in words."""
        viewers, seen = len(self.rig.viewers), self.rig.viewers.figures()
        peers = sum(not peer.closed for peer in self.rig.peers)
        off_air = self.rig.status.state in (StreamState.OFFLINE, StreamState.STOPPING)
        fits = {
            "viewers are WebSockets and kept": viewers == len(self.attached) + sum(one["kept"] for one in seen),
            "no more than there are places": viewers <= PLACES,
            "nothing of those who have gone": viewers == len(seen),
            "one WebSocket a viewer": len({viewer for _, viewer in self.attached}) == len(self.attached),
            "every peer connection is a viewer's": peers == sum(len(one["peers"]) for one in seen),
            "one peer connection a viewer": all(len(one["peers"]) <= 1 for one in seen),
            "off air no peer connection": not (off_air and peers),
            "a task a viewer": len(asyncio.all_tasks(self.loop)) == viewers,
        }
        return [what for what, is_so in fits.items() if not is_so]

    def teardown(self) -> None:
        """Who says nothing any more is gone without a trace."""
        try:
            self.rig.media_flows = False
            self.run(LONGEST)
            assert not self.attached
            self.viewers_sockets_and_peers_agree()
            assert len(self.rig.viewers) == 0
        finally:
            self.loop.run_until_complete(self.rig.viewers.close())
            self.loop.close()
            logging.disable(logging.NOTSET)


ViewersMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestViewersMachine = ViewersMachine.TestCase
