"""Admission, resumption and displacement of sessions, and the phase before `hello`."""

import itertools
import json

import pytest

from broadcaster.model.stream import StreamState
from broadcaster.signaling.messages import ErrorMessage, Hello, Refusal
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.signaling.session import Session
from broadcaster.web.endpoint import HelloPhase
from broadcaster.web.viewers import Sessions
from tests.unit.session_driver import Offered, status
from tests.unit.signaling_samples import CHROMIUM


def make(limit: int) -> Sessions:
    numbers = itertools.count()
    return Sessions(limit, lambda: f"secret{next(numbers)}", Timings())


def admit(sessions: Sessions, now: float = 0.0) -> Session:
    session = sessions.admit("", status(StreamState.LIVE), now).session
    session.attach(1, len(sessions), now)
    return session


def detach(session: Session, now: float) -> None:
    session.offered(1, Offered(), now)
    session.closed(1, None, now, now)
    assert session.is_detached


def test_sessions_are_admitted_up_to_the_limit() -> None:
    sessions = make(2)
    assert {admit(sessions).viewer, admit(sessions).viewer} == {"v1", "v2"}
    with pytest.raises(Refusal) as caught:
        admit(sessions)
    error = caught.value.error
    assert (error.code, error.limit, caught.value.close) == ("full", 2, CloseCode.FULL)


def test_a_session_can_be_resumed_when_the_limit_is_reached() -> None:
    sessions = make(1)
    session = admit(sessions)
    assert sessions.admit(session.resume, status(StreamState.LIVE), 1.0).session is session


def test_while_new_viewers_are_refused_sessions_can_be_resumed() -> None:
    sessions = make(2)
    session = admit(sessions)
    sessions.refuses_new_viewers = True
    with pytest.raises(Refusal) as caught:
        admit(sessions)
    error = caught.value.error
    assert (error.code, caught.value.close) == ("full", CloseCode.FULL)
    assert error.limit is None, "the limit is not reached"
    assert sessions.admit(session.resume, status(StreamState.LIVE), 1.0).session is session
    sessions.refuses_new_viewers = False
    assert admit(sessions) is not session


@pytest.mark.parametrize("resume", ["", "unknown"])
def test_an_unknown_resume_value_opens_a_new_session(resume: str) -> None:
    sessions = make(2)
    first = admit(sessions)
    assert sessions.admit(resume, status(StreamState.LIVE), 1.0).session is not first


def test_the_session_detached_first_is_displaced() -> None:
    sessions = make(3)
    one, two, three = (admit(sessions) for _ in range(3))
    detach(two, 5.0)
    detach(three, 4.0)
    admission = sessions.admit("", status(StreamState.LIVE), 6.0)
    assert admission.displaced is three
    assert len(sessions) == 3
    assert three not in list(sessions)
    assert one in list(sessions)


def test_a_session_without_peer_connection_for_a_minute_is_displaced() -> None:
    sessions = make(3)
    one, two, three = (admit(sessions, now) for now in (0.0, 10.0, 20.0))
    one.offered(1, Offered(), 1.0)
    one.receive(1, json.dumps({"type": "answer", "id": 1, "sdp": CHROMIUM}), 1.0)
    one.connected(1, 2.0)
    assert sessions.full(69.9) is not None
    with pytest.raises(Refusal):
        sessions.admit("", status(StreamState.LIVE), 69.9)
    assert sessions.full(70.0) is None
    assert sessions.admit("", status(StreamState.LIVE), 70.0).displaced is two
    with pytest.raises(Refusal):
        sessions.admit("", status(StreamState.LIVE), 70.1)
    assert sessions.admit("", status(StreamState.LIVE), 80.0).displaced is three
    assert one in list(sessions)


def test_the_minute_starts_at_a_lost_peer_connection_and_does_not_run_while_offline() -> None:
    sessions = make(1)
    session = admit(sessions)
    session.stream_changed(status(StreamState.OFFLINE), 10.0)
    assert sessions.full(100.0) is not None
    session.stream_changed(status(StreamState.LIVE), 100.0)
    session.offered(2, Offered(), 101.0)
    session.receive(1, json.dumps({"type": "answer", "id": 2, "sdp": CHROMIUM}), 101.0)
    session.connected(2, 102.0)
    assert sessions.full(500.0) is not None
    session.lost(2, 500.0)
    for now in range(501, 560):
        session.receive(1, json.dumps({"type": "heartbeat"}), float(now))
    assert sessions.full(559.9) is not None
    assert sessions.admit("", status(StreamState.LIVE), 560.0).displaced is session


def test_the_count_is_announced_at_once_then_once_per_second() -> None:
    sessions = make(9)
    admit(sessions)
    assert sessions.announcement(10.0) == 1
    assert sessions.next_announcement() == float("inf")
    second = admit(sessions)
    assert sessions.announcement(10.5) is None
    assert sessions.next_announcement() == 11.0
    admit(sessions)
    assert sessions.announcement(11.0) == 3
    sessions.forget(second)
    sessions.forget(second)
    assert sessions.announcement(11.5) is None
    assert sessions.announcement(12.0) == 2


def test_a_change_that_is_undone_is_not_announced() -> None:
    sessions = make(9)
    first = admit(sessions)
    sessions.announcement(10.0)
    second = admit(sessions)
    sessions.forget(second)
    assert sessions.announcement(20.0) is None
    assert list(sessions) == [first]


class TestHelloPhase:
    def test_hello_is_returned(self) -> None:
        assert HelloPhase().receive('{"type":"hello","resume":"r"}', 0.0) == Hello(resume="r")

    def test_another_message_before_hello_is_a_protocol_error(self) -> None:
        with pytest.raises(Refusal) as caught:
            HelloPhase().receive('{"type":"heartbeat"}', 0.0)
        assert caught.value.close is CloseCode.PROTOCOL_ERROR
        assert caught.value.error.code == "no-hello"

    def test_unknown_messages_before_hello_are_ignored(self) -> None:
        phase = HelloPhase()
        assert phase.receive('{"type":"greeting"}', 0.0) is None
        assert phase.receive('{"type":"hello"}', 0.0) == Hello()

    def test_invalid_messages_before_hello_are_limited(self) -> None:
        phase = HelloPhase()
        for _ in range(10):
            reply = phase.receive('{"type":"hello","token":1}', 0.0)
            assert isinstance(reply, ErrorMessage)
            assert reply.field == "token"
        with pytest.raises(Refusal) as caught:
            phase.receive("nonsense", 0.0)
        assert caught.value.close is CloseCode.TOO_MANY

    def test_pings_before_hello_are_limited(self) -> None:
        phase = HelloPhase()
        for _ in range(30):
            phase.ping(0.0)
        with pytest.raises(Refusal):
            phase.ping(0.0)
