"""The life of one push target, event by event."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broadcaster.errors import IllegalEvent
from broadcaster.model.offers import Offer
from broadcaster.model.push import PushState
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import AddCandidate, ApplyAnswer, ClosePeer, Log
from broadcaster.stream.backoff import STEADY
from broadcaster.web.push.actions import (
    Abort,
    Action,
    CheckConsent,
    DeleteSession,
    ForgetSession,
    Post,
    Prepare,
    StoreSession,
    WhipAnswer,
)
from broadcaster.web.push.machine import CONNECT_TIMEOUT, MAX_DELETES, QUIET, SILENCE_LIMIT, PushMachine

SDP = Path(__file__).parent / "sdp"
OFFER = Offer((SDP / "whip-offer.sdp").read_bytes().decode())
ANSWER = (SDP / "whip-passive-lite.sdp").read_bytes().decode()
SESSION = "https://example.org/session/1"
TURN = ({"urls": ["turn:turn.example.org"], "username": "me", "credential": "hush"},)


def live(machine: PushMachine, now: float = 0.0) -> list[Action]:
    return machine.stream_changed(StreamState.LIVE, now)


def connect(machine: PushMachine, now: float = 0.0) -> int:
    """Bring a machine that is connecting to the state connected; return the attempt."""
    id = machine.attempts
    machine.offered(id, OFFER)
    machine.answered(id, WhipAnswer(SESSION, ANSWER), now)
    machine.connected(id, now)
    return id


def connected(now: float = 0.0) -> tuple[PushMachine, int]:
    machine = PushMachine()
    live(machine, now)
    return machine, connect(machine, now)


def without_logs(actions: list[Action]) -> list[Action]:
    return [action for action in actions if not isinstance(action, Log)]


def logs(actions: list[Action]) -> list[str]:
    return [action.text for action in actions if isinstance(action, Log)]


def test_nothing_happens_before_the_stream_is_live():
    machine = PushMachine()
    for state in (StreamState.OFFLINE, StreamState.STARTING, StreamState.FAILED):
        assert machine.stream_changed(state, 0.0) == []
        assert machine.step(100.0, None) == []
    assert machine.attempts == 0


def test_connects_in_steps_when_the_stream_goes_live():
    machine = PushMachine()
    assert live(machine) == [Prepare(1, ())]
    assert machine.state is PushState.CONNECTING
    assert machine.offered(1, OFFER) == [Post(1, OFFER.sdp)]
    stored, applied, *candidates = machine.answered(1, WhipAnswer(SESSION, ANSWER), 0.1)
    assert stored == StoreSession(SESSION)
    assert isinstance(applied, ApplyAnswer)
    assert "a=setup:passive" in applied.sdp
    assert [action.candidate.address for action in candidates if isinstance(action, AddCandidate)] == [
        "192.0.2.2",
        "fd00::2",
    ]
    assert logs(machine.connected(1, 0.2)) == ["connected after 0.20 s"]
    assert (machine.state, machine.http_status, machine.reason) == (PushState.CONNECTED, 201, "")
    assert machine.connections == 1


def test_disconnects_and_deletes_the_session_when_the_stream_ends():
    machine, id = connected()
    ended = machine.stream_changed(StreamState.STOPPING, 5.0)
    assert without_logs(ended) == [Abort(id), ClosePeer(id), DeleteSession(SESSION)]
    assert machine.deleted(SESSION) == [ForgetSession(SESSION)]
    assert machine.state is PushState.IDLE
    assert machine.stream_changed(StreamState.OFFLINE, 6.0) == []
    assert live(machine, 7.0) == [Prepare(2, ())]


def test_source_that_fails_keeps_the_connection_and_begins_none():
    machine, id = connected()
    assert machine.stream_changed(StreamState.FAILED, 5.0) == []
    assert live(machine, 10.0) == machine.stream_changed(StreamState.FAILED, 15.0) == []
    assert machine.state is PushState.CONNECTED
    machine.lost(id, 20.0)
    assert machine.step(100.0, None) == []
    assert [type(action) for action in live(machine, 101.0)] == [DeleteSession, Prepare]


def test_back_off_grows_to_30_seconds():
    machine, now, waits = PushMachine(), 0.0, []
    live(machine, now)
    for _ in range(7):
        machine.failed(machine.attempts, "unreachable", now)
        waits.append(machine.retry_at - now)
        assert machine.step(machine.retry_at - 0.01, None) == []
        now = machine.retry_at
        assert machine.next_deadline(None) == now
        assert isinstance(machine.step(now, None)[-1], Prepare)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_connection_that_had_lasted_is_restored_at_once():
    machine, id = connected()
    machine.lost(id, STEADY)
    assert machine.retry_at == STEADY
    assert isinstance(machine.step(STEADY, None)[-1], Prepare)
    machine.failed(2, "unreachable", STEADY)
    assert machine.retry_at == STEADY + 2


def test_server_that_accepts_and_drops_is_not_hammered():
    machine, id = connected()
    waits, now = [], 0.0
    for _ in range(4):
        now += 1.0
        machine.lost(id, now)
        waits.append(machine.retry_at - now)
        now = machine.retry_at
        machine.step(now, None)
        id = connect(machine, now)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_lasts_until_the_settings_change(status):
    machine = PushMachine()
    live(machine)
    failed = machine.failed(1, "no such token", 0.0, status)
    assert logs(failed) == ["no such token; not tried again until the settings are reloaded"]
    assert (machine.state, machine.http_status, machine.reason) == (PushState.REFUSED, status, "no such token")
    assert machine.next_deadline(None) == float("inf")
    machine.stream_changed(StreamState.OFFLINE, 10.0)
    assert live(machine, 20.0) == []
    assert (machine.state, machine.reason) == (PushState.REFUSED, "no such token")


@pytest.mark.parametrize("status", [404, 409, 500, 503])
def test_other_statuses_are_tried_again(status):
    machine = PushMachine()
    live(machine)
    machine.failed(1, "no", 0.0, status)
    assert machine.state is PushState.WAITING
    assert machine.http_status == status


def test_last_answer_is_kept_by_failures_without_one():
    machine, _ = connected()
    for reason in ("the connection was closed or lost", "unreachable"):
        machine.failed(machine.attempts, reason, STEADY)
        assert (machine.http_status, machine.reason) == (201, reason)
        machine.step(machine.retry_at, None)
    machine.failed(machine.attempts, "busy", STEADY, 503)
    machine.step(machine.retry_at, None)
    machine.lost(machine.attempts, STEADY)
    assert (machine.state, machine.http_status) == (PushState.WAITING, 503)


def test_there_is_no_status_before_the_first_answer():
    machine = PushMachine()
    live(machine)
    machine.failed(1, "unreachable", 0.0)
    assert machine.http_status == 0


def test_reason_that_repeats_is_logged_once():
    machine, lines, now = PushMachine(), [], 0.0
    live(machine, now)
    for reason in ("unreachable", "unreachable", "unreachable", "no token"):
        lines += logs(machine.failed(machine.attempts, reason, now))
        now = machine.retry_at
        machine.step(now, None)
    assert lines == ["unreachable; trying again in 1 s", "no token; trying again in 8 s"]
    connect(machine, now)
    assert logs(machine.lost(machine.attempts, now + 60)) == ["the connection was closed or lost; trying again in 0 s"]


def test_answer_that_cannot_be_used_ends_the_attempt_and_its_session():
    machine = PushMachine()
    live(machine)
    machine.offered(1, OFFER)
    actions = machine.answered(1, WhipAnswer(SESSION, "v=0\r\n"), 0.0)
    assert without_logs(actions) == [StoreSession(SESSION), Abort(1), ClosePeer(1), DeleteSession(SESSION)]
    assert machine.reason.startswith("the server's answer cannot be used: other m-lines")


def test_media_that_does_not_connect_ends_the_attempt():
    machine = PushMachine()
    live(machine)
    machine.offered(1, OFFER)
    machine.answered(1, WhipAnswer(SESSION, ANSWER), 3.0)
    assert machine.next_deadline(None) == 3.0 + CONNECT_TIMEOUT
    assert machine.step(12.9, None) == []
    assert without_logs(machine.step(13.0, None)) == [Abort(1), ClosePeer(1), DeleteSession(SESSION)]
    assert "no media connection" in machine.reason
    assert machine.http_status == 201


def test_quiet_server_is_checked_and_silent_one_is_left():
    machine, id = connected()
    assert machine.next_deadline(None) == QUIET
    assert machine.next_deadline(5.0) == 5.0 + QUIET
    assert machine.step(5.9, 5.0) == []
    assert machine.step(6.0, 5.0) == [CheckConsent(id)]
    assert machine.step(6.4, 5.0) == []
    assert machine.step(6.5, 5.0) == [CheckConsent(id)]
    assert machine.step(6.6, 6.6) == []
    for now in (7.6, 8.1, 8.6, 9.1):
        assert machine.next_deadline(6.6) == pytest.approx(now)
        assert machine.step(now, 6.6) == [CheckConsent(id)]
    assert machine.next_deadline(6.6) == pytest.approx(6.6 + SILENCE_LIMIT)
    assert without_logs(machine.step(9.6, 6.6)) == [Abort(id), ClosePeer(id), DeleteSession(SESSION)]
    assert machine.reason == "the server has been silent for 3 s"


def test_stall_of_this_machine_does_not_end_the_connection():
    machine, id = connected()
    assert machine.step(60.0, 5.0) == [CheckConsent(id)]
    assert machine.step(60.5, 60.1) == []
    assert machine.state is PushState.CONNECTED


def test_session_of_an_earlier_process_is_deleted_before_the_first_attempt():
    machine = PushMachine(SESSION)
    assert live(machine) == [DeleteSession(SESSION), Prepare(1, ())]
    assert machine.deleted(SESSION) == [ForgetSession(SESSION)]


def test_session_that_nobody_deletes_is_given_up():
    machine, id = connected()
    now = 100.0
    machine.lost(id, now)
    deletes = 1
    for _ in range(5):
        now = machine.retry_at
        deletes += DeleteSession(SESSION) in machine.step(now, None)
        deletes += DeleteSession(SESSION) in machine.failed(machine.attempts, "unreachable", now)
    assert deletes == MAX_DELETES


def test_ice_servers_of_the_answer_are_used_from_the_next_attempt_on():
    machine = PushMachine()
    live(machine)
    machine.offered(1, OFFER)
    machine.answered(1, WhipAnswer(SESSION, ANSWER, TURN), 0.0)
    machine.failed(1, "unreachable", 0.0)
    assert machine.step(1.0, None)[-1] == Prepare(2, TURN)


def test_loopback_candidates_are_used_only_where_the_server_is_reached_by_loopback():
    answer = WhipAnswer(SESSION, ANSWER.replace("192.0.2.2", "127.0.0.1"))
    for loopback, addresses in ((True, {"127.0.0.1", "fd00::2"}), (False, {"fd00::2"})):
        machine = PushMachine(loopback=loopback)
        live(machine)
        machine.offered(1, OFFER)
        actions = machine.answered(1, answer, 0.0)
        assert {action.candidate.address for action in actions if isinstance(action, AddCandidate)} == addresses


def test_events_of_attempts_that_are_over_are_ignored():
    machine, id = connected()
    machine.lost(id, 50.0)
    machine.step(50.0, None)
    assert machine.offered(id, OFFER) == []
    assert machine.connected(id, 51.0) == machine.lost(id, 51.0) == machine.failed(id, "late", 51.0) == []
    assert machine.answered(id, WhipAnswer("https://late", ANSWER), 51.0) == [DeleteSession("https://late")]
    assert machine.deleted("https://late") == []
    assert machine.state is PushState.CONNECTING


def test_events_of_attempts_that_never_began_are_illegal():
    machine = PushMachine()
    for event in (machine.lost, machine.connected):
        with pytest.raises(IllegalEvent):
            event(1, 0.0)


def test_end_is_final():
    machine, id = connected()
    assert without_logs(machine.end()) == [Abort(id), ClosePeer(id), DeleteSession(SESSION)]
    assert machine.step(1000.0, None) == []


class AnyOrder(RuleBasedStateMachine):
    """Events in any order: at most one attempt is open, and what was opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = PushMachine()
        self.now = 0.0
        self.open: set[int] = set()

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Prepare):
                assert not self.open
                self.open.add(action.id)
            elif isinstance(action, ClosePeer):
                self.open.remove(action.id)
            elif isinstance(action, Post | ApplyAnswer | AddCandidate | CheckConsent):
                assert action.id in self.open

    @rule(state=st.sampled_from(StreamState))
    def stream(self, state: StreamState) -> None:
        self.take(self.machine.stream_changed(state, self.now))

    @rule(seconds=st.floats(0, 40), heard=st.floats(0, 5))
    def wait(self, seconds: float, heard: float) -> None:
        self.now += seconds
        self.take(self.machine.step(self.now, self.now - heard))

    @rule(back=st.integers(0, 1), event=st.sampled_from(["offered", "answered", "garbage", "connected", "lost", "401"]))
    def event(self, back: int, event: str) -> None:
        id = self.machine.attempts - back
        if id < 1:
            return
        machine, now = self.machine, self.now
        events = {
            "offered": lambda: machine.offered(id, OFFER),
            "answered": lambda: machine.answered(id, WhipAnswer(SESSION, ANSWER), now),
            "garbage": lambda: machine.answered(id, WhipAnswer(SESSION, "x"), now),
            "connected": lambda: machine.connected(id, now),
            "lost": lambda: machine.lost(id, now),
            "401": lambda: machine.failed(id, "no", now, 401) if now > 300 else [],
        }
        self.take(events[event]())

    @invariant()
    def open_attempt_matches_the_state(self) -> None:
        is_open = self.machine.state in (PushState.CONNECTING, PushState.CONNECTED)
        assert self.open == ({self.machine.attempts} if is_open else set())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
