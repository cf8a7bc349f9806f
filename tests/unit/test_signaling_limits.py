"""Ends and limits of a session: expiry of the link, message budget, illegal events."""

import pytest

from broadcaster.errors import IllegalEvent
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import (
    ClosePeer,
    CloseSocket,
    End,
    Log,
    OpenPeer,
    Ping,
)
from broadcaster.signaling.protocol import CloseCode
from tests.unit.session_driver import SessionDriver, effects, message_types, messages


class TestLinkExpiry:
    """A link's end is a moment of the monotonic clock: what the wall clock does meanwhile changes nothing."""

    def at_100_ends(self, ends_at: float) -> SessionDriver:
        driver = SessionDriver()
        driver.record(driver.session.attach(2, 1, driver.now, ends_at))
        return driver

    def test_expiry_sends_an_error_and_closes_the_websocket(self) -> None:
        driver = self.at_100_ends(102.0)
        assert effects(driver.advance(1.99)) == []
        assert driver.session.next_deadline() == 102.0
        ended = driver.advance(0.01)
        assert messages(ended)[0]["code"] == "token-expired"
        assert CloseSocket(2, CloseCode.TOKEN) in ended
        assert End("link expired", 2.0) in ended
        assert driver.session.is_over

    def test_expiry_closes_the_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.record(driver.session.attach(2, 1, driver.now, 103.0))
        assert ClosePeer(1) in driver.advance(3)

    def test_expiry_ends_a_detached_session(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.attach(2, 1, driver.now, 103.0)
        driver.session.closed(2, None, driver.now, driver.now)
        assert driver.session.resumable_until == 110.0
        assert [type(action) for action in effects(driver.advance(3))] == [ClosePeer, End]

    def test_resuming_with_a_longer_link_extends_the_session(self) -> None:
        driver = self.at_100_ends(102.0)
        driver.session.attach(3, 1, driver.now, 200.0)
        assert CloseCode.TOKEN not in [a.code for a in driver.advance(5) if isinstance(a, CloseSocket)]
        assert not driver.session.is_over

    def test_session_without_a_link_does_not_expire(self) -> None:
        driver = self.at_100_ends(102.0)
        driver.session.attach(3, 1, driver.now)
        driver.advance(3)
        assert not driver.session.is_over


class TestMessageBudget:
    def test_thirty_messages_are_allowed(self) -> None:
        driver = SessionDriver()
        for _ in range(30):
            driver.receive("heartbeat")
        assert not driver.session.is_over
        driver.receive("heartbeat")
        assert messages(driver.last)[0]["code"] == "too-many"
        assert CloseSocket(1, CloseCode.TOO_MANY) in driver.last

    @pytest.mark.parametrize("text", ["nonsense", '{"type":"answer","id":9,"sdp":""}'])
    def test_bad_message_costs_three(self, text: str) -> None:
        driver = SessionDriver()
        for _ in range(10):
            assert messages(driver.session.receive(1, text, driver.now))[0]["code"] == "bad-message"
        assert not driver.session.is_over
        driver.session.receive(1, text, driver.now)
        assert driver.session.is_over

    def test_resuming_costs_three(self) -> None:
        driver = SessionDriver()
        opened = 0
        for socket in range(2, 12):
            driver.offered(socket - 1)
            opened += OpenPeer(socket) in driver.session.attach(socket, 1, driver.now)
        assert opened == 10
        ended = driver.session.attach(12, 1, driver.now)
        assert CloseSocket(11, CloseCode.RESUMED_ELSEWHERE) in ended
        assert CloseSocket(12, CloseCode.TOO_MANY) in ended
        assert ClosePeer(10) in ended
        assert driver.session.is_over

    def test_pings_and_unsolicited_pongs_cost_one(self) -> None:
        driver = SessionDriver()
        payloads = [a.payload for a in driver.advance(3) if isinstance(a, Ping)]
        assert driver.session.pong(1, payloads[0], driver.now) == []
        for _ in range(30):
            assert driver.session.ping(1, driver.now) == []
        assert driver.session.pong(1, b"", driver.now) != []
        assert driver.session.is_over

    def test_unknown_type_is_logged_once(self) -> None:
        driver = SessionDriver()
        assert [type(a) for a in driver.receive("chat")] == [Log]
        assert driver.receive("chat") == []
        assert sum(len(driver.receive(f"later{n}")) for n in range(20)) == 7


def test_events_after_the_end_are_ignored() -> None:
    driver = SessionDriver()
    driver.connect()
    driver.session.end("enough", driver.now, CloseCode.GOING_AWAY)
    assert driver.receive("heartbeat") == []
    assert driver.stream(StreamState.OFFLINE) == []
    assert driver.offered(2) == []
    assert driver.session.viewers_changed(9) == []
    assert driver.session.step(driver.now + 100, None) == []
    assert driver.session.next_deadline() == float("inf")
    assert driver.session.end("again", driver.now, CloseCode.NORMAL) == []


class TestIllegalEvents:
    """Bugs of the session's owner raise, and change nothing."""

    @pytest.mark.parametrize("event", ["connected", "lost"])
    def test_event_of_a_peer_connection_never_requested_raises(self, event: str) -> None:
        driver = SessionDriver()
        with pytest.raises(IllegalEvent):
            getattr(driver.session, event)(2, driver.now)
        assert message_types(driver.offered()) == ["offer"]

    def test_second_offer_raises(self) -> None:
        driver = SessionDriver()
        driver.offered()
        with pytest.raises(IllegalEvent):
            driver.offered()

    def test_late_offer_is_ignored(self) -> None:
        driver = SessionDriver()
        driver.stream(StreamState.OFFLINE)
        driver.stream(StreamState.LIVE)
        assert driver.offered(1) == []
        assert message_types(driver.offered(2)) == ["offer"]

    def test_attaching_to_an_ended_session_raises(self) -> None:
        driver = SessionDriver()
        driver.record(driver.session.end("enough", driver.now, CloseCode.NORMAL))
        with pytest.raises(IllegalEvent):
            driver.session.attach(2, 1, driver.now)
