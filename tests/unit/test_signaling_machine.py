"""A state machine test: the invariants of a session hold for every order of events."""

import json
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broadcaster.errors import IllegalEvent
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import (
    Action,
    AddCandidate,
    ApplyAnswer,
    CloseMedia,
    ClosePeer,
    CloseSocket,
    End,
    OpenPeer,
    Ping,
    RequestKeyframe,
    Send,
)
from broadcaster.signaling.messages import serialize
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.signaling.session import Session
from tests.unit.session_driver import CANDIDATE, Offered, status
from tests.unit.signaling_samples import CHROMIUM

ids = st.integers(-1, 6)


class SessionMachine(RuleBasedStateMachine):
    """Acts as the session's owner: has WebSockets and peer connections, and checks each action against them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state = StreamState.LIVE
        self.session = Session("v1", "secret", Timings(), status(self.state), self.now)
        self.sockets: list[int] = []
        self.closed: set[int] = set()
        self.open_peers: set[int] = set()
        self.answered: set[int] = set()
        self.offers: list[int] = []
        self.newest = 0
        self.last_offered = 0
        self.ended = False
        self.plays_media = False
        self.attach()

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.ended, "an action after the end"
            self.check(action)

    def check(self, action: Action) -> None:
        match action:
            case Send(message):
                assert self.sockets[-1] not in self.closed, "message for a closed socket"
                fields = json.loads(serialize(message))
                if fields["type"] == "offer":
                    self.offers.append(fields["id"])
            case Ping():
                assert self.sockets[-1] not in self.closed
            case CloseSocket(socket):
                assert socket not in self.closed
                self.closed.add(socket)
            case OpenPeer(id):
                assert id > self.newest, "ids grow"
                self.newest = id
                self.open_peers.add(id)
            case ApplyAnswer(id):
                assert id in self.open_peers
                assert id not in self.answered, "one answer per offer"
                self.answered.add(id)
            case AddCandidate(id):
                assert id in self.open_peers & self.answered
            case RequestKeyframe(id):
                assert id in self.open_peers
            case ClosePeer(id):
                self.open_peers.remove(id)
            case CloseMedia():
                assert self.plays_media
                self.plays_media = False
            case End():
                self.ended = True

    @precondition(lambda self: not self.ended)
    @rule(lasts=st.sampled_from([float("inf"), 30.0, 0.5, 0.0]))
    def attach(self, lasts: float = float("inf")) -> None:
        self.sockets.append(len(self.sockets) + 1)
        self.ends_at = self.now + lasts
        self.do(self.session.attach(self.sockets[-1], 1, self.now, self.ends_at))

    @rule(seconds=st.floats(0, 4), alive=st.booleans())
    def pass_time(self, seconds: float, alive: bool) -> None:
        self.now += seconds
        self.do(self.session.step(self.now, self.now if alive else None))
        assert self.ended or self.now < self.ends_at, "the session ends when the link expires"

    @rule(back=st.integers(0, 1), code=st.sampled_from([None, 1000, 1001, 3000]), alive=st.booleans())
    def close(self, back: int, code: int | None, alive: bool) -> None:
        socket = self.sockets[-1 - back % len(self.sockets)]
        before = socket in self.closed
        actions = self.session.closed(socket, code, self.now, self.now if alive else None)
        self.do(actions)
        if not before:
            self.closed.add(socket)

    @rule(state=st.sampled_from(StreamState))
    def stream(self, state: StreamState) -> None:
        self.state = state
        self.do(self.session.stream_changed(status(state), self.now))

    def peer_event(self, event: Callable[..., list[Action]], id: int, *details: object) -> None:
        """Pass an event of a peer connection; it must raise if that was never requested, or was offered twice."""
        offer = event == self.session.offered
        illegal = not self.ended and (not 0 < id <= self.newest or (offer and id == self.last_offered))
        try:
            self.do(event(id, *details, self.now))
        except IllegalEvent:
            assert illegal
        else:
            assert not illegal
            if offer and id == self.newest and id in self.open_peers:
                self.last_offered = id

    @rule(id=ids)
    def offered(self, id: int) -> None:
        self.peer_event(self.session.offered, id, Offered())

    @rule()
    def newest_offered(self) -> None:
        self.peer_event(self.session.offered, self.newest, Offered())

    @rule(id=ids)
    def connected(self, id: int) -> None:
        self.peer_event(self.session.connected, id)

    @rule(id=ids)
    def lost(self, id: int) -> None:
        self.peer_event(self.session.lost, id)

    @rule(id=ids)
    def refused(self, id: int) -> None:
        self.peer_event(self.session.refused, id, "odd")

    @precondition(lambda self: not self.ended)
    @rule()
    def media_opened(self) -> None:
        self.plays_media = True
        self.do(self.session.media_opened(self.now))

    @precondition(lambda self: self.plays_media)
    @rule()
    def media_closed(self) -> None:
        self.plays_media = False
        self.do(self.session.media_closed(self.now))

    @rule()
    def attach_the_same_socket_again(self) -> None:
        with pytest.raises(IllegalEvent):
            self.session.attach(self.sockets[-1], 1, self.now)

    @rule(
        back=st.integers(0, 1),
        message=st.one_of(
            st.builds(lambda i, s: {"type": "answer", "id": i, "sdp": s}, ids, st.sampled_from([CHROMIUM, "v=0"])),
            st.builds(lambda i: {"type": "candidate", "id": i, "candidate": {"candidate": CANDIDATE}}, ids),
            st.builds(lambda i: {"type": "restart", "id": i, "reason": "no-frames"}, ids),
            st.sampled_from([{"type": "keyframe"}, {"type": "heartbeat"}, {"type": "media"}, {"type": "bye"}, 7]),
        ),
    )
    def receive(self, back: int, message: object) -> None:
        socket = self.sockets[-1 - back % len(self.sockets)]
        if socket not in self.closed:
            self.do(self.session.receive(socket, json.dumps(message), self.now))

    @precondition(lambda self: not self.ended and self.newest > 2)
    @rule()
    def end(self) -> None:
        self.do(self.session.end("enough", self.now, CloseCode.NORMAL))

    @invariant()
    def at_most_one_peer_and_one_pending(self) -> None:
        assert len(self.open_peers) <= 2
        assert len(self.open_peers & set(self.offers)) <= 1

    @invariant()
    def ids_of_offers_grow(self) -> None:
        assert self.offers == sorted(set(self.offers))

    @invariant()
    def ended_session_has_no_peers(self) -> None:
        assert self.session.is_over == self.ended
        if self.ended:
            assert not self.open_peers
            assert not self.plays_media
            assert self.session.next_deadline() == float("inf")

    @invariant()
    def no_peer_while_offline(self) -> None:
        if self.state in (StreamState.OFFLINE, StreamState.STOPPING):
            assert not self.open_peers

    @invariant()
    def deadline_is_near(self) -> None:
        if not self.ended:
            assert self.session.next_deadline() <= self.now + 10.0


SessionMachine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestSessionMachine = SessionMachine.TestCase
