"""Loss and resumption of a session's WebSocket."""

import pytest

from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import (
    ClosePeer,
    CloseSocket,
    End,
    Log,
    OpenPeer,
)
from broadcaster.signaling.protocol import CloseCode
from tests.unit.session_driver import SessionDriver, effects, message_types, messages


class TestHeartbeat:
    def test_heartbeat_is_answered_with_its_t(self) -> None:
        assert messages(SessionDriver().receive("heartbeat", t=5.25)) == [
            {"type": "heartbeat", "t": 5.25, "now": 100_000.0}
        ]

    def test_heartbeat_is_requested_before_the_timeout(self) -> None:
        driver = SessionDriver(StreamState.OFFLINE)
        actions = driver.advance(6.9)
        assert [m.get("ask") for m in messages(actions)] == [True]
        assert effects(driver.advance(0.2))[0] == CloseSocket(1, CloseCode.HEARTBEAT_MISSED)
        assert driver.session.is_over


class TestDetached:
    def test_session_with_an_active_peer_connection_is_resumable_for_ten_seconds(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert effects(driver.session.closed(1, None, driver.now, driver.now - 4.9)) == []
        assert effects(driver.advance(9.9)) == []
        ended = effects(driver.advance(0.2))
        assert ended[0] == ClosePeer(1)
        assert isinstance(ended[1], End)

    @pytest.mark.parametrize("active_before", [5.1, None])
    def test_session_without_an_active_peer_connection_ends(self, active_before: float | None) -> None:
        driver = SessionDriver()
        driver.connect()
        heard = None if active_before is None else driver.now - active_before
        assert ClosePeer(1) in driver.session.closed(1, None, driver.now, heard)
        assert driver.session.is_over

    @pytest.mark.parametrize("code", [1000, 1001, 1005])
    def test_close_frame_ends_the_session(self, code: int) -> None:
        driver = SessionDriver()
        driver.connect()
        actions = driver.session.closed(1, code, driver.now, driver.now)
        assert ClosePeer(1) in actions
        assert [action.reason for action in actions if isinstance(action, End)] == ["left the page"]
        assert driver.session.is_over

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (None, "disconnected (connection lost), may come back within 10 s"),
            (4002, "disconnected (the page gave up its connection), may come back within 10 s"),
            (1006, "disconnected (WebSocket closed with code 1006), may come back within 10 s"),
        ],
    )
    def test_lost_connection_is_logged_in_words(self, code: int | None, words: str) -> None:
        driver = SessionDriver()
        driver.connect()
        (log,) = driver.session.closed(1, code, driver.now, driver.now)
        assert isinstance(log, Log)
        assert log.text == words

    def test_bye_ends_the_session(self) -> None:
        driver = SessionDriver()
        driver.connect()
        actions = effects(driver.receive("bye"))
        assert actions[:2] == [ClosePeer(1), CloseSocket(1, CloseCode.NORMAL)]
        assert isinstance(actions[2], End)

    def test_session_is_resumable_after_a_missed_heartbeat(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert effects(driver.advance(7)) == [CloseSocket(1, CloseCode.HEARTBEAT_MISSED)]
        assert driver.session.is_detached

    def test_detached_session_ends_five_seconds_after_the_last_datagram(self) -> None:
        driver = SessionDriver()
        driver.connect()
        last = driver.now - 3
        driver.session.closed(1, None, driver.now, last)
        assert driver.session.next_deadline() == last + 5
        assert driver.session.step(last + 4.9, last) == []
        assert ClosePeer(1) in driver.session.step(last + 5, last)

    def test_later_datagram_keeps_the_detached_session(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.closed(1, None, driver.now, driver.now)
        assert driver.session.step(driver.now + 5, driver.now + 4) == []
        assert driver.session.next_deadline() == driver.now + 9

    def test_detached_session_ends_with_its_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.closed(1, None, driver.now, driver.now)
        assert [type(a) for a in effects(driver.session.lost(1, driver.now))] == [ClosePeer, End]

    def test_nothing_is_sent_while_detached(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.closed(1, None, driver.now, driver.now)
        assert messages(driver.stream(StreamState.FAILED)) == []


class TestResumption:
    def test_resuming_does_not_touch_the_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.connect()
        actions = driver.session.attach(2, 1, driver.now)
        assert effects(actions) == [CloseSocket(1, CloseCode.RESUMED_ELSEWHERE)]
        assert messages(actions)[0]["resumed"] is True
        assert messages(actions)[0]["resume"] == "secret"

    def test_detached_session_is_resumed(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.closed(1, None, driver.now, driver.now)
        driver.advance(5)
        assert messages(driver.session.attach(2, 1, driver.now))[0]["resumed"] is True
        assert not driver.session.is_detached
        assert effects(driver.advance(5.4)) == []

    def test_events_of_the_old_websocket_are_ignored(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.session.attach(2, 1, driver.now)
        assert driver.receive("bye") == []
        assert driver.session.closed(1, 1000, driver.now, None) == []
        assert driver.session.violated(1, CloseCode.UNSUPPORTED_DATA, "", driver.now) == []
        assert driver.session.ping(1, driver.now) == []
        assert driver.session.pong(1, b"x", driver.now) == []
        assert not driver.session.is_over

    def test_unconnected_session_is_offered_a_new_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.offered()
        assert OpenPeer(2) in driver.session.attach(2, 1, driver.now)
        assert message_types(driver.offered(2)) == ["bye", "offer"]

    def test_pending_offer_is_sent_after_resuming(self) -> None:
        driver = SessionDriver()
        assert effects(driver.session.attach(2, 1, driver.now)) == [CloseSocket(1, CloseCode.RESUMED_ELSEWHERE)]
        assert message_types(driver.offered(1)) == ["offer"]

    def test_session_without_an_answer_needs_a_restart(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.advance_with_heartbeats(11)
        assert OpenPeer(2) not in driver.session.attach(2, 1, driver.now)
