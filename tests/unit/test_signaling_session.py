"""One viewer's session: every rule of PROTOCOL.md that is not about bytes, with the time as an argument."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from broadcaster.errors import IllegalEvent
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.signaling.actions import (
    Action,
    AddCandidate,
    ApplyAnswer,
    ClosePeer,
    CloseSocket,
    End,
    Log,
    OpenPeer,
    Ping,
    RequestKeyframe,
    Send,
)
from broadcaster.signaling.messages import serialize
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.signaling.session import Session
from tests.unit.signaling_samples import CHROMIUM, OFFER, PION


@dataclass(frozen=True)
class Offered:
    sdp: str = OFFER
    ice_servers: tuple[dict[str, str], ...] = ({"urls": "stun:192.0.2.9"},)
    clock: tuple[int, float] | None = (90000, 12.5)
    addresses: frozenset[str] = frozenset({"192.0.2.1"})


CANDIDATE = "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host"


def status(state: StreamState) -> StreamStatus:
    return StreamStatus(state, 1.0, AudioState.ON)


class Rig:
    """A session on socket 1, and all that it ever asked for."""

    def __init__(self, state: StreamState = StreamState.LIVE) -> None:
        self.now = 100.0
        self.is_heard = False
        self.session = Session("v1", "secret", Timings(), status(state), self.now)
        self.do(self.session.attach(1, 1, self.now))

    def do(self, actions: list[Action]) -> None:
        self.last = actions

    def say(self, type: str, socket: int = 1, **fields: object) -> list[Action]:
        self.do(self.session.receive(socket, json.dumps({"type": type, **fields}), self.now))
        return self.last

    def stream(self, state: StreamState) -> list[Action]:
        self.do(self.session.stream_changed(status(state), self.now))
        return self.last

    def offered(self, id: int = 1) -> list[Action]:
        self.do(self.session.offered(id, Offered(), self.now))
        return self.last

    def connect(self, id: int = 1) -> None:
        self.offered(id)
        self.say("answer", id=id, sdp=CHROMIUM)
        self.do(self.session.connected(id, self.now))
        self.is_heard = True

    def wait(self, seconds: float) -> list[Action]:
        """Step at every deadline until then."""
        until, done = self.now + seconds, []
        while (deadline := self.session.next_deadline()) <= until:
            self.now = max(self.now, deadline)
            done += self.session.step(self.now, self.now if self.is_heard else None)
        self.now = until
        self.do(done)
        return done

    def live_on(self, seconds: float) -> list[Action]:
        """As `wait`, with a viewer that answers pings and says a heartbeat each second."""
        done: list[Action] = []
        for _ in range(int(seconds)):
            for action in self.wait(1.0):
                done.append(action)
                if isinstance(action, Ping):
                    self.session.pong(1, action.payload, self.now)
            self.session.receive(1, '{"type":"heartbeat"}', self.now) if self.now % 2 < 1 else None
        return done


def said(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(serialize(action.message)) for action in actions if isinstance(action, Send)]


def types(actions: list[Action]) -> list[str]:
    return [message["type"] for message in said(actions)]


def done(actions: list[Action]) -> list[Action]:
    """Without words."""
    return [action for action in actions if not isinstance(action, Send | Log | Ping)]


class TestOpening:
    def test_welcome_comes_first_and_the_offer_follows_at_once_when_live(self) -> None:
        rig = Rig()
        assert types(rig.last) == ["welcome"]
        assert said(rig.last)[0]["resumed"] is False
        assert done(rig.last) == [OpenPeer(1)]
        offer = said(rig.offered())[0]
        assert (offer["type"], offer["id"], offer["sdp"]) == ("offer", 1, OFFER)
        assert offer["ice_servers"] == [{"urls": "stun:192.0.2.9"}]
        assert offer["clock"] == {"rtp": 90000, "at": 12.5}

    def test_offline_it_waits_until_the_stream_is_live(self) -> None:
        rig = Rig(StreamState.OFFLINE)
        assert done(rig.last) == []
        assert done(rig.stream(StreamState.STARTING)) == []
        assert types(rig.stream(StreamState.LIVE)) == ["stream"]
        assert done(rig.last) == [OpenPeer(1)]

    def test_a_second_hello_is_out_of_place(self) -> None:
        assert said(Rig().say("hello"))[0]["field"] == "type"


class TestOffersAndAnswers:
    def test_the_first_answer_counts(self) -> None:
        rig = Rig()
        rig.offered()
        (applied,) = done(rig.say("answer", id=1, sdp=CHROMIUM))
        assert isinstance(applied, ApplyAnswer)
        assert "a=candidate" not in applied.sdp
        assert rig.say("answer", id=1, sdp=CHROMIUM) == []

    def test_candidates_in_the_answer_are_screened_and_follow_it(self) -> None:
        rig = Rig()
        rig.offered()
        actions = done(rig.say("answer", id=1, sdp=PION))
        assert [type(action) for action in actions] == [ApplyAnswer, AddCandidate, AddCandidate]
        assert rig.session.candidates_dropped == 2, "those of component 2"

    def test_candidates_wait_for_the_answer(self) -> None:
        rig = Rig()
        rig.offered()
        assert rig.say("candidate", id=1, candidate={"candidate": CANDIDATE}) == []
        actions = done(rig.say("answer", id=1, sdp=CHROMIUM))
        assert [type(action) for action in actions] == [ApplyAnswer, AddCandidate]
        assert [type(a) for a in rig.say("candidate", id=1, candidate={"candidate": CANDIDATE})] == [AddCandidate]

    def test_the_end_of_candidates_goes_no_further(self) -> None:
        rig = Rig()
        rig.connect()
        assert rig.say("candidate", id=1, candidate=None) == []
        assert rig.say("candidate", id=1, candidate={"candidate": ""}) == []

    def test_our_own_address_is_no_candidate(self) -> None:
        rig = Rig()
        rig.connect()
        own = CANDIDATE.replace("192.0.2.7", "192.0.2.1")
        assert rig.say("candidate", id=1, candidate={"candidate": own}) == []

    def test_more_than_twenty_candidates_are_dropped_then_too_many(self) -> None:
        rig = Rig()
        rig.connect()
        passed = sum(len(done(rig.say("candidate", id=1, candidate={"candidate": CANDIDATE}))) for _ in range(45))
        assert passed == 20 - 1, "one came in the answer"
        assert not rig.session.is_over
        for _ in range(10):
            rig.say("candidate", id=1, candidate={"candidate": CANDIDATE})
        assert rig.session.is_over

    @pytest.mark.parametrize("message", [("answer", {"sdp": CHROMIUM}), ("candidate", {"candidate": None})])
    def test_an_id_never_offered_is_a_bad_message(self, message: tuple[str, dict[str, Any]]) -> None:
        rig = Rig()
        assert said(rig.say(message[0], id=1, **message[1]))[0]["field"] == "id", "its offer is not out yet"
        rig.offered()
        for id in (0, -1, 2, 99):
            assert said(rig.say(message[0], id=id, **message[1]))[0]["code"] == "bad-message"

    def test_what_belongs_to_an_older_offer_is_ignored(self) -> None:
        rig = Rig()
        rig.offered()
        rig.say("restart", id=1, reason="ice-failed")
        rig.offered(2)
        assert rig.say("answer", id=1, sdp=CHROMIUM) == []
        assert rig.say("candidate", id=1, candidate={"candidate": CANDIDATE}) == []
        assert rig.say("restart", id=1, reason="ice-failed") == []

    def test_a_bad_answer_ends_the_peer_connection_at_once(self) -> None:
        rig = Rig()
        rig.offered()
        rig.say("answer", id=1, sdp="v=0")
        assert said(rig.last)[0]["code"] == "bad-answer"
        assert done(rig.last) == [ClosePeer(1)]
        assert not rig.session.is_over

    def test_an_answer_that_the_peer_connection_refuses_is_the_same(self) -> None:
        rig = Rig()
        rig.offered()
        rig.say("answer", id=1, sdp=CHROMIUM)
        refused = rig.session.refused(1, "odd", rig.now)
        assert said(refused)[0]["code"] == "bad-answer"
        assert done(refused) == [ClosePeer(1)]

    def test_no_answer_in_ten_seconds_and_then_only_restart_brings_an_offer(self) -> None:
        rig = Rig()
        rig.offered()
        assert "bye" not in types(rig.live_on(9))
        byes = [m for m in said(rig.live_on(2)) if m["type"] == "bye"]
        assert byes == [{"type": "bye", "id": 1, "reason": "no-answer"}]
        assert done(rig.stream(StreamState.FAILED)) == done(rig.stream(StreamState.LIVE)) == []
        assert done(rig.say("restart", id=1, reason="ice-failed")) == [OpenPeer(2)]

    def test_answered_but_not_connected_is_no_answer_either(self) -> None:
        rig = Rig()
        rig.offered()
        rig.say("answer", id=1, sdp=CHROMIUM)
        assert ClosePeer(1) in rig.live_on(11)

    def test_connected_it_has_no_deadline(self) -> None:
        rig = Rig()
        rig.connect()
        assert done(rig.live_on(30)) == []

    def test_keyframe_is_for_a_connected_peer(self) -> None:
        rig = Rig()
        rig.offered()
        assert rig.say("keyframe") == []
        rig.say("answer", id=1, sdp=CHROMIUM)
        rig.session.connected(1, rig.now)
        assert rig.say("keyframe") == [RequestKeyframe(1)]


class TestRestart:
    def test_the_old_one_is_closed_when_the_new_offer_is_sent(self) -> None:
        rig = Rig()
        rig.connect()
        assert done(rig.say("restart", id=1, reason="no-frames")) == [OpenPeer(2)]
        assert types(rig.offered(2)) == ["bye", "offer"]
        assert said(rig.last)[0] == {"type": "bye", "id": 1, "reason": "replaced"}
        assert done(rig.last) == [ClosePeer(1)]

    def test_is_ignored_within_two_seconds_of_the_last(self) -> None:
        rig = Rig()
        rig.connect()
        rig.say("restart", id=1, reason="no-frames")
        rig.connect(2)
        rig.now += 1.9
        assert rig.say("restart", id=2, reason="no-frames") == []
        rig.now += 0.1
        assert done(rig.say("restart", id=2, reason="decoder")) == [OpenPeer(3)]

    def test_is_ignored_while_an_offer_is_being_made(self) -> None:
        rig = Rig()
        rig.connect()
        rig.say("restart", id=1, reason="no-frames")
        rig.now += 3
        assert rig.say("restart", id=1, reason="no-frames") == []

    def test_one_that_is_being_replaced_has_no_deadline_any_more(self) -> None:
        rig = Rig()
        rig.offered()
        rig.live_on(9)
        rig.say("restart", id=1, reason="ice-failed")
        assert done(rig.live_on(5)) == []
        assert types(rig.offered(2)) == ["bye", "offer"]

    @pytest.mark.parametrize("state", [StreamState.FAILED, StreamState.STARTING])
    def test_is_ignored_when_not_live(self, state: StreamState) -> None:
        rig = Rig()
        rig.connect()
        rig.stream(state)
        assert rig.say("restart", id=1, reason="no-frames") == []

    def test_of_an_id_never_offered_is_a_bad_message(self) -> None:
        rig = Rig()
        rig.connect()
        assert said(rig.say("restart", id=7, reason="decoder"))[0]["field"] == "id"


class TestStream:
    @pytest.mark.parametrize("state", [StreamState.STOPPING, StreamState.OFFLINE])
    def test_going_offline_ends_the_peer_connection(self, state: StreamState) -> None:
        rig = Rig()
        rig.connect()
        rig.stream(state)
        assert types(rig.last) == ["stream", "bye"]
        assert said(rig.last)[1] == {"type": "bye", "id": 1, "reason": "stopped"}
        assert done(rig.last) == [ClosePeer(1)]
        assert done(rig.stream(StreamState.LIVE)) == [OpenPeer(2)]

    def test_in_failed_it_stays(self) -> None:
        rig = Rig()
        rig.connect()
        assert done(rig.stream(StreamState.FAILED)) == done(rig.stream(StreamState.LIVE)) == []

    def test_an_offer_that_comes_after_the_stop_is_not_sent(self) -> None:
        rig = Rig()
        assert done(rig.stream(StreamState.OFFLINE)) == [ClosePeer(1)]
        assert rig.offered(1) == []
        assert done(rig.stream(StreamState.LIVE)) == [OpenPeer(2)]

    def test_a_lost_peer_connection_is_told_and_restart_brings_another(self) -> None:
        rig = Rig()
        rig.connect()
        lost = rig.session.lost(1, rig.now)
        assert said(lost)[0] == {"type": "bye", "id": 1, "reason": "lost"}
        assert done(lost) == [ClosePeer(1)]
        assert rig.session.lost(1, rig.now) == []
        assert done(rig.say("restart", id=1, reason="ice-failed")) == [OpenPeer(2)]

    def test_the_number_of_viewers_is_told_once(self) -> None:
        rig = Rig()
        assert said(rig.session.viewers_changed(3)) == [{"type": "viewers", "count": 3}]
        assert rig.session.viewers_changed(3) == []


class TestHeartbeat:
    def test_is_answered_with_its_own_t(self) -> None:
        assert said(Rig().say("heartbeat", t=5.25)) == [{"type": "heartbeat", "t": 5.25, "now": 100_000.0}]

    def test_asks_before_it_gives_up(self) -> None:
        rig = Rig(StreamState.OFFLINE)
        actions = rig.wait(6.9)
        assert [m.get("ask") for m in said(actions)] == [True]
        assert done(rig.wait(0.2))[0] == CloseSocket(1, CloseCode.HEARTBEAT_MISSED)
        assert rig.session.is_over


class TestKept:
    def test_an_alive_peer_connection_keeps_the_session_ten_seconds(self) -> None:
        rig = Rig()
        rig.connect()
        assert done(rig.session.closed(1, None, rig.now, rig.now - 4.9)) == []
        assert done(rig.wait(9.9)) == []
        ended = done(rig.wait(0.2))
        assert ended[0] == ClosePeer(1)
        assert isinstance(ended[1], End)

    @pytest.mark.parametrize("heard_before", [5.1, None])
    def test_a_dead_one_does_not(self, heard_before: float | None) -> None:
        rig = Rig()
        rig.connect()
        heard = None if heard_before is None else rig.now - heard_before
        assert ClosePeer(1) in rig.session.closed(1, None, rig.now, heard)
        assert rig.session.is_over

    @pytest.mark.parametrize("code", [1000, 1001, 1005])
    def test_a_close_frame_ends_it_at_once(self, code: int) -> None:
        rig = Rig()
        rig.connect()
        assert ClosePeer(1) in rig.session.closed(1, code, rig.now, rig.now)
        assert rig.session.is_over

    def test_bye_ends_it_at_once(self) -> None:
        rig = Rig()
        rig.connect()
        actions = done(rig.say("bye"))
        assert actions[:2] == [ClosePeer(1), CloseSocket(1, CloseCode.NORMAL)]
        assert isinstance(actions[2], End)

    def test_a_missed_heartbeat_keeps_it_too(self) -> None:
        rig = Rig()
        rig.connect()
        assert done(rig.wait(7)) == [CloseSocket(1, CloseCode.HEARTBEAT_MISSED)]
        assert rig.session.is_detached

    def test_it_ends_five_seconds_after_the_last_datagram(self) -> None:
        rig = Rig()
        rig.connect()
        last = rig.now - 3
        rig.session.closed(1, None, rig.now, last)
        assert rig.session.next_deadline() == last + 5
        assert rig.session.step(last + 4.9, last) == []
        assert ClosePeer(1) in rig.session.step(last + 5, last)

    def test_a_later_datagram_keeps_it(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.closed(1, None, rig.now, rig.now)
        assert rig.session.step(rig.now + 5, rig.now + 4) == []
        assert rig.session.next_deadline() == rig.now + 9

    def test_it_ends_with_its_peer_connection(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.closed(1, None, rig.now, rig.now)
        assert [type(a) for a in done(rig.session.lost(1, rig.now))] == [ClosePeer, End]

    def test_nothing_is_said_while_nobody_listens(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.closed(1, None, rig.now, rig.now)
        assert said(rig.stream(StreamState.FAILED)) == []


class TestTakeOver:
    def test_media_goes_on_untouched(self) -> None:
        rig = Rig()
        rig.connect()
        actions = rig.session.attach(2, 1, rig.now)
        assert done(actions) == [CloseSocket(1, CloseCode.RESUMED_ELSEWHERE)]
        assert said(actions)[0]["resumed"] is True
        assert said(actions)[0]["resume"] == "secret"

    def test_after_being_kept(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.closed(1, None, rig.now, rig.now)
        rig.wait(5)
        assert said(rig.session.attach(2, 1, rig.now))[0]["resumed"] is True
        assert not rig.session.is_detached
        assert done(rig.wait(5.4)) == []

    def test_nothing_from_the_old_socket_counts(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.attach(2, 1, rig.now)
        assert rig.say("bye") == []
        assert rig.session.closed(1, 1000, rig.now, None) == []
        assert rig.session.violated(1, CloseCode.UNSUPPORTED_DATA, "", rig.now) == []
        assert rig.session.ping(1, rig.now) == []
        assert rig.session.pong(1, b"x", rig.now) == []
        assert not rig.session.is_over

    def test_one_that_was_not_connected_yet_gets_a_new_offer(self) -> None:
        rig = Rig()
        rig.offered()
        assert OpenPeer(2) in rig.session.attach(2, 1, rig.now)
        assert types(rig.offered(2)) == ["bye", "offer"]

    def test_one_whose_offer_is_being_made_gets_that(self) -> None:
        rig = Rig()
        assert done(rig.session.attach(2, 1, rig.now)) == [CloseSocket(1, CloseCode.RESUMED_ELSEWHERE)]
        assert types(rig.offered(1)) == ["offer"]

    def test_one_that_did_not_answer_has_to_ask(self) -> None:
        rig = Rig()
        rig.offered()
        rig.live_on(11)
        assert OpenPeer(2) not in rig.session.attach(2, 1, rig.now)


class TestLinkEnds:
    """A link's end is a moment of the monotonic clock: what the wall clock does meanwhile changes nothing."""

    def at_100_ends(self, ends_at: float) -> Rig:
        rig = Rig()
        rig.do(rig.session.attach(2, 1, rig.now, ends_at))
        return rig

    def test_who_watches_is_told_and_the_connection_closed_at_that_moment(self) -> None:
        rig = self.at_100_ends(102.0)
        assert done(rig.wait(1.99)) == []
        assert rig.session.next_deadline() == 102.0
        ended = rig.wait(0.01)
        assert said(ended)[0]["code"] == "token-expired"
        assert CloseSocket(2, CloseCode.TOKEN) in ended
        assert End("link expired", 2.0) in ended
        assert rig.session.is_over

    def test_its_peer_connection_ends_with_it(self) -> None:
        rig = Rig()
        rig.connect()
        rig.do(rig.session.attach(2, 1, rig.now, 103.0))
        assert ClosePeer(1) in rig.wait(3)

    def test_a_kept_session_ends_then_too(self) -> None:
        rig = Rig()
        rig.connect()
        rig.session.attach(2, 1, rig.now, 103.0)
        rig.session.closed(2, None, rig.now, rig.now)
        assert rig.session.resumable_until == 110.0
        assert [type(action) for action in done(rig.wait(3))] == [ClosePeer, End]

    def test_who_comes_back_with_a_longer_one_stays(self) -> None:
        rig = self.at_100_ends(102.0)
        rig.session.attach(3, 1, rig.now, 200.0)
        assert CloseCode.TOKEN not in [a.code for a in rig.wait(5) if isinstance(a, CloseSocket)]
        assert not rig.session.is_over

    def test_without_a_link_there_is_no_end(self) -> None:
        rig = self.at_100_ends(102.0)
        rig.session.attach(3, 1, rig.now)
        rig.wait(3)
        assert not rig.session.is_over


class TestBudget:
    def test_thirty_messages_and_no_more(self) -> None:
        rig = Rig()
        for _ in range(30):
            rig.say("heartbeat")
        assert not rig.session.is_over
        rig.say("heartbeat")
        assert said(rig.last)[0]["code"] == "too-many"
        assert CloseSocket(1, CloseCode.TOO_MANY) in rig.last

    @pytest.mark.parametrize("text", ["nonsense", '{"type":"answer","id":9,"sdp":""}'])
    def test_a_bad_one_counts_three(self, text: str) -> None:
        rig = Rig()
        for _ in range(10):
            assert said(rig.session.receive(1, text, rig.now))[0]["code"] == "bad-message"
        assert not rig.session.is_over
        rig.session.receive(1, text, rig.now)
        assert rig.session.is_over

    def test_a_take_over_counts_three_for_it_may_bring_a_peer_connection(self) -> None:
        rig = Rig()
        opened = 0
        for socket in range(2, 12):
            rig.offered(socket - 1)
            opened += OpenPeer(socket) in rig.session.attach(socket, 1, rig.now)
        assert opened == 10
        ended = rig.session.attach(12, 1, rig.now)
        assert CloseSocket(11, CloseCode.RESUMED_ELSEWHERE) in ended
        assert CloseSocket(12, CloseCode.TOO_MANY) in ended
        assert ClosePeer(10) in ended
        assert rig.session.is_over

    def test_pings_count_and_asked_pongs_do_not(self) -> None:
        rig = Rig()
        payloads = [a.payload for a in rig.wait(3) if isinstance(a, Ping)]
        assert rig.session.pong(1, payloads[0], rig.now) == []
        for _ in range(30):
            assert rig.session.ping(1, rig.now) == []
        assert rig.session.pong(1, b"", rig.now) != []
        assert rig.session.is_over

    def test_an_unknown_type_is_logged_once(self) -> None:
        rig = Rig()
        assert [type(a) for a in rig.say("chat")] == [Log]
        assert rig.say("chat") == []
        assert sum(len(rig.say(f"later{n}")) for n in range(20)) == 7


def test_after_the_end_nothing_happens() -> None:
    rig = Rig()
    rig.connect()
    rig.session.end("enough", rig.now, CloseCode.GOING_AWAY)
    assert rig.say("heartbeat") == []
    assert rig.stream(StreamState.OFFLINE) == []
    assert rig.offered(2) == []
    assert rig.session.viewers_changed(9) == []
    assert rig.session.step(rig.now + 100, None) == []
    assert rig.session.next_deadline() == float("inf")
    assert rig.session.end("again", rig.now, CloseCode.NORMAL) == []


class TestIllegalEvents:
    """Bugs of the session's owner raise, and change nothing."""

    @pytest.mark.parametrize("event", ["connected", "lost"])
    def test_an_event_of_a_peer_connection_that_was_never_requested(self, event: str) -> None:
        rig = Rig()
        with pytest.raises(IllegalEvent):
            getattr(rig.session, event)(2, rig.now)
        assert types(rig.offered()) == ["offer"]

    def test_an_offer_is_made_once(self) -> None:
        rig = Rig()
        rig.offered()
        with pytest.raises(IllegalEvent):
            rig.offered()

    def test_an_offer_that_is_late_is_no_bug(self) -> None:
        rig = Rig()
        rig.stream(StreamState.OFFLINE)
        rig.stream(StreamState.LIVE)
        assert rig.offered(1) == []
        assert types(rig.offered(2)) == ["offer"]

    def test_a_session_that_is_over_takes_no_websocket(self) -> None:
        rig = Rig()
        rig.do(rig.session.end("enough", rig.now, CloseCode.NORMAL))
        with pytest.raises(IllegalEvent):
            rig.session.attach(2, 1, rig.now)
