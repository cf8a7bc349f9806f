"""One viewer's session: opening, offers and answers, restarts, changes of the stream."""

from typing import Any

import pytest

from broadcaster.model.stream import Quality, QualityPreference, StreamState
from broadcaster.signaling.actions import (
    AddCandidate,
    ApplyAnswer,
    ClosePeer,
    OpenPeer,
    Prefer,
    RequestKeyframe,
    RequestMediaKeyframe,
)
from tests.unit.session_driver import CANDIDATE, SessionDriver, effects, message_types, messages, status
from tests.unit.signaling_samples import CHROMIUM, OFFER, PION


class TestOpening:
    def test_welcome_is_followed_by_an_offer_when_live(self) -> None:
        driver = SessionDriver()
        assert message_types(driver.last) == ["welcome"]
        assert messages(driver.last)[0]["resumed"] is False
        assert effects(driver.last) == [OpenPeer(1)]
        offer = messages(driver.offered())[0]
        assert (offer["type"], offer["id"], offer["sdp"]) == ("offer", 1, OFFER)
        assert offer["ice_servers"] == [{"urls": "stun:192.0.2.9"}]
        assert offer["clock"] == {"rtp": 90000, "at": 12.5}

    def test_no_offer_before_the_stream_is_live(self) -> None:
        driver = SessionDriver(StreamState.OFFLINE)
        assert effects(driver.last) == []
        assert effects(driver.stream(StreamState.STARTING)) == []
        assert message_types(driver.stream(StreamState.LIVE)) == ["stream"]
        assert effects(driver.last) == [OpenPeer(1)]

    def test_second_hello_is_a_bad_message(self) -> None:
        assert messages(SessionDriver().receive("hello"))[0]["field"] == "type"


class TestOffersAndAnswers:
    def test_only_the_first_answer_is_applied(self) -> None:
        driver = SessionDriver()
        driver.offered()
        (applied,) = effects(driver.receive("answer", id=1, sdp=CHROMIUM))
        assert isinstance(applied, ApplyAnswer)
        assert "a=candidate" not in applied.sdp
        assert driver.receive("answer", id=1, sdp=CHROMIUM) == []

    def test_candidates_in_the_answer_are_filtered_and_added_after_it(self) -> None:
        driver = SessionDriver()
        driver.offered()
        actions = effects(driver.receive("answer", id=1, sdp=PION))
        assert [type(action) for action in actions] == [ApplyAnswer, AddCandidate, AddCandidate]
        assert driver.session.candidates_dropped == 2, "those of component 2"

    def test_candidates_are_added_after_the_answer(self) -> None:
        driver = SessionDriver()
        driver.offered()
        assert driver.receive("candidate", id=1, candidate={"candidate": CANDIDATE}) == []
        actions = effects(driver.receive("answer", id=1, sdp=CHROMIUM))
        assert [type(action) for action in actions] == [ApplyAnswer, AddCandidate]
        assert [type(a) for a in driver.receive("candidate", id=1, candidate={"candidate": CANDIDATE})] == [
            AddCandidate
        ]

    def test_end_of_candidates_is_not_passed_on(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert driver.receive("candidate", id=1, candidate=None) == []
        assert driver.receive("candidate", id=1, candidate={"candidate": ""}) == []

    def test_candidate_with_our_address_is_dropped(self) -> None:
        driver = SessionDriver()
        driver.connect()
        own = CANDIDATE.replace("192.0.2.7", "192.0.2.1")
        assert driver.receive("candidate", id=1, candidate={"candidate": own}) == []

    def test_excess_candidates_are_dropped_and_cost_messages(self) -> None:
        driver = SessionDriver()
        driver.connect()
        passed = sum(
            len(effects(driver.receive("candidate", id=1, candidate={"candidate": CANDIDATE}))) for _ in range(45)
        )
        assert passed == 20 - 1, "one came in the answer"
        assert not driver.session.is_over
        for _ in range(10):
            driver.receive("candidate", id=1, candidate={"candidate": CANDIDATE})
        assert driver.session.is_over

    @pytest.mark.parametrize("message", [("answer", {"sdp": CHROMIUM}), ("candidate", {"candidate": None})])
    def test_unknown_id_is_a_bad_message(self, message: tuple[str, dict[str, Any]]) -> None:
        driver = SessionDriver()
        assert messages(driver.receive(message[0], id=1, **message[1]))[0]["field"] == "id", "its offer is not out yet"
        driver.offered()
        for id in (0, -1, 2, 99):
            assert messages(driver.receive(message[0], id=id, **message[1]))[0]["code"] == "bad-message"

    def test_messages_for_an_older_offer_are_ignored(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.receive("restart", id=1, reason="ice-failed")
        driver.offered(2)
        assert driver.receive("answer", id=1, sdp=CHROMIUM) == []
        assert driver.receive("candidate", id=1, candidate={"candidate": CANDIDATE}) == []
        assert driver.receive("restart", id=1, reason="ice-failed") == []

    def test_bad_answer_closes_the_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.receive("answer", id=1, sdp="v=0")
        assert messages(driver.last)[0]["code"] == "bad-answer"
        assert effects(driver.last) == [ClosePeer(1)]
        assert not driver.session.is_over

    def test_answer_refused_by_the_peer_connection_closes_it(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.receive("answer", id=1, sdp=CHROMIUM)
        refused = driver.session.refused(1, "odd", driver.now)
        assert messages(refused)[0]["code"] == "bad-answer"
        assert effects(refused) == [ClosePeer(1)]

    def test_missing_answer_closes_the_peer_connection_until_restart(self) -> None:
        driver = SessionDriver()
        driver.offered()
        assert "bye" not in message_types(driver.advance_with_heartbeats(9))
        byes = [m for m in messages(driver.advance_with_heartbeats(2)) if m["type"] == "bye"]
        assert byes == [{"type": "bye", "id": 1, "reason": "no-answer"}]
        assert effects(driver.stream(StreamState.FAILED)) == effects(driver.stream(StreamState.LIVE)) == []
        assert effects(driver.receive("restart", id=1, reason="ice-failed")) == [OpenPeer(2)]

    def test_unconnected_peer_connection_is_closed(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.receive("answer", id=1, sdp=CHROMIUM)
        assert ClosePeer(1) in driver.advance_with_heartbeats(11)

    def test_connected_peer_connection_has_no_deadline(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert effects(driver.advance_with_heartbeats(30)) == []

    def test_keyframe_needs_a_connected_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.offered()
        assert driver.receive("keyframe") == [RequestMediaKeyframe()]
        driver.receive("answer", id=1, sdp=CHROMIUM)
        driver.session.connected(1, driver.now)
        assert driver.receive("keyframe") == [RequestKeyframe(1), RequestMediaKeyframe()]


class TestRestart:
    def test_old_peer_connection_is_closed_when_the_new_offer_is_sent(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert effects(driver.receive("restart", id=1, reason="no-frames")) == [OpenPeer(2)]
        assert message_types(driver.offered(2)) == ["bye", "offer"]
        assert messages(driver.last)[0] == {"type": "bye", "id": 1, "reason": "replaced"}
        assert effects(driver.last) == [ClosePeer(1)]

    def test_restart_is_ignored_within_two_seconds(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.receive("restart", id=1, reason="no-frames")
        driver.connect(2)
        driver.now += 1.9
        assert driver.receive("restart", id=2, reason="no-frames") == []
        driver.now += 0.1
        assert effects(driver.receive("restart", id=2, reason="decoder")) == [OpenPeer(3)]

    def test_restart_is_ignored_while_an_offer_is_being_made(self) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.receive("restart", id=1, reason="no-frames")
        driver.now += 3
        assert driver.receive("restart", id=1, reason="no-frames") == []

    def test_peer_connection_being_replaced_has_no_deadline(self) -> None:
        driver = SessionDriver()
        driver.offered()
        driver.advance_with_heartbeats(9)
        driver.receive("restart", id=1, reason="ice-failed")
        assert effects(driver.advance_with_heartbeats(5)) == []
        assert message_types(driver.offered(2)) == ["bye", "offer"]

    @pytest.mark.parametrize("state", [StreamState.FAILED, StreamState.STARTING])
    def test_restart_is_ignored_when_not_live(self, state: StreamState) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.stream(state)
        assert driver.receive("restart", id=1, reason="no-frames") == []

    def test_restart_with_unknown_id_is_a_bad_message(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert messages(driver.receive("restart", id=7, reason="decoder"))[0]["field"] == "id"


class TestStream:
    @pytest.mark.parametrize("state", [StreamState.STOPPING, StreamState.OFFLINE])
    def test_going_offline_closes_the_peer_connection(self, state: StreamState) -> None:
        driver = SessionDriver()
        driver.connect()
        driver.stream(state)
        assert message_types(driver.last) == ["stream", "bye"]
        assert messages(driver.last)[1] == {"type": "bye", "id": 1, "reason": "stopped"}
        assert effects(driver.last) == [ClosePeer(1)]
        assert effects(driver.stream(StreamState.LIVE)) == [OpenPeer(2)]

    def test_failed_stream_keeps_the_peer_connection(self) -> None:
        driver = SessionDriver()
        driver.connect()
        assert effects(driver.stream(StreamState.FAILED)) == effects(driver.stream(StreamState.LIVE)) == []

    def test_offer_made_after_the_stop_is_not_sent(self) -> None:
        driver = SessionDriver()
        assert effects(driver.stream(StreamState.OFFLINE)) == [ClosePeer(1)]
        assert driver.offered(1) == []
        assert effects(driver.stream(StreamState.LIVE)) == [OpenPeer(2)]

    def test_lost_peer_connection_is_reported_and_restart_makes_another(self) -> None:
        driver = SessionDriver()
        driver.connect()
        lost = driver.session.lost(1, driver.now)
        assert messages(lost)[0] == {"type": "bye", "id": 1, "reason": "lost"}
        assert effects(lost) == [ClosePeer(1)]
        assert driver.session.lost(1, driver.now) == []
        assert effects(driver.receive("restart", id=1, reason="ice-failed")) == [OpenPeer(2)]

    def test_viewer_count_is_sent_once(self) -> None:
        driver = SessionDriver()
        assert messages(driver.session.viewers_changed(3)) == [{"type": "viewers", "count": 3}]
        assert driver.session.viewers_changed(3) == []


class TestQuality:
    @pytest.mark.parametrize("want", QualityPreference)
    def test_choice_is_passed_on(self, want: QualityPreference) -> None:
        driver = SessionDriver(has_small=True)
        assert driver.receive("quality", want=want) == [Prefer(want)], "also before there is a peer connection"

    @pytest.mark.parametrize("fields", [{}, {"want": "medium"}, {"want": None}])
    def test_invalid_choice_is_a_bad_message(self, fields: dict[str, Any]) -> None:
        (error,) = messages(SessionDriver(has_small=True).receive("quality", **fields))
        assert (error["code"], error["field"]) == ("bad-message", "want")

    def test_rendition_is_announced_and_repeated_in_later_messages(self) -> None:
        driver = SessionDriver(has_small=True)
        assert messages(driver.last)[0]["stream"]["quality"] == "full"
        driver.connect()
        assert [message["quality"] for message in messages(driver.quality(Quality.SMALL))] == ["small"]
        assert driver.quality(Quality.SMALL) == []
        changed = driver.session.stream_changed(status(StreamState.LIVE, has_small=True), driver.now)
        assert messages(changed)[0]["quality"] == "small"

    def test_only_rendition_is_not_named(self) -> None:
        driver = SessionDriver(has_small=False)
        assert "quality" not in messages(driver.last)[0]["stream"]
        assert "quality" not in messages(driver.stream(StreamState.LIVE))[0]

    def test_next_peer_connection_begins_with_the_last_rendition(self) -> None:
        driver = SessionDriver(has_small=True)
        driver.connect()
        driver.quality(Quality.SMALL)
        driver.receive("restart", id=1, reason="decoder")
        driver.offered(2)
        assert message_types(driver.last) == ["bye", "offer"]
        assert driver.session.quality is Quality.SMALL

    def test_detached_session_sends_nothing_and_tells_the_rendition_when_resumed(self) -> None:
        driver = SessionDriver(has_small=True)
        driver.connect()
        driver.session.closed(1, None, driver.now, driver.now)
        assert driver.session.is_detached
        assert driver.quality(Quality.SMALL) == []
        welcome = messages(driver.session.attach(2, 1, driver.now))[0]
        assert (welcome["resumed"], welcome["stream"]["quality"]) == (True, "small")
