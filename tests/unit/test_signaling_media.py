"""The way without UDP in a session: its tickets, and that playing over it keeps a session alive."""

import pytest

from broadcaster.errors import BadMessage
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import CloseMedia, RequestMediaKeyframe, SendTicket
from broadcaster.signaling.media import Ack, MediaObject, Open, parse_media_message
from broadcaster.signaling.protocol import CloseCode, Timings
from broadcaster.signaling.session import Session
from tests.unit.session_driver import SessionDriver, effects, messages, status


def opened() -> SessionDriver:
    """Return a session without peer connection that plays over `/media`."""
    driver = SessionDriver()
    driver.record(driver.session.media_opened(driver.now))
    driver.is_active = True
    return driver


def test_welcome_has_the_ticket_where_media_is_on():
    session = Session("v1", "secret", Timings(), status(StreamState.LIVE), 0.0)
    (welcome,) = messages(session.attach(1, 1, 0.0, media=MediaObject("media", "abc")))
    assert welcome["media"] == {"url": "media", "ticket": "abc"}


def test_media_asks_for_a_ticket_and_counts_as_a_message():
    driver = SessionDriver()
    assert driver.receive("media") == [SendTicket()]
    for _ in range(40):
        driver.receive("media")
    assert driver.session.is_over


def test_playing_counts_as_connected_and_keeps_a_detached_session():
    driver = opened()
    assert driver.session.is_connected
    driver.record(driver.session.closed(1, None, driver.now, driver.now))
    assert driver.session.is_detached
    assert not driver.session.is_over


def test_a_detached_session_ends_when_it_plays_no_longer():
    driver = opened()
    driver.session.closed(1, None, driver.now, driver.now)
    driver.session.media_closed(driver.now)
    assert driver.session.is_over


def test_a_detached_session_ends_when_nothing_is_acknowledged():
    driver = opened()
    driver.session.closed(1, None, driver.now, driver.now)
    driver.is_active = False
    assert CloseMedia(CloseCode.NORMAL) in driver.advance(6)
    assert driver.session.is_over


@pytest.mark.parametrize(
    ("code", "expected"),
    [(CloseCode.GOING_AWAY, CloseCode.GOING_AWAY), (CloseCode.TOKEN, CloseCode.NORMAL)],
)
def test_media_ends_with_the_session(code, expected):
    driver = opened()
    assert CloseMedia(expected) in driver.session.end("over", driver.now, code)


def test_after_media_has_ended_nothing_of_it_remains():
    driver = opened()
    driver.session.media_closed(driver.now)
    assert not driver.session.is_connected
    assert not [action for action in driver.receive("bye") if isinstance(action, CloseMedia)]


def test_opening_after_the_end_is_refused():
    driver = SessionDriver()
    driver.receive("bye")
    assert driver.session.media_opened(driver.now) == [CloseMedia(CloseCode.NORMAL)]


def test_keyframe_is_requested_over_both_ways():
    driver = opened()
    assert effects(driver.receive("keyframe")) == [RequestMediaKeyframe()]


def test_messages_of_media_are_read():
    assert parse_media_message('{"type":"open","ticket":"x","later":1}') == Open("x")
    assert parse_media_message(b'{"type":"ack","count":7}') == Ack(7)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '{"type":"ack"}', '{"type":"ack","count":-1}', '{"type":"ack","count":1.5}',
     '{"type":"ack","count":1e99}', '{"type":"ack","count":"1"}', '{"type":"ack","count":true}', '{"type":"open"}',
     '{"type":"open","ticket":7}', '{"type":"later"}', '{"type":"ack","count":' + "9" * 400 + "}", "[" * 60_000,
     '{"type":"open","ticket":"\ud800"}'],
)  # fmt: skip
def test_other_messages_are_bad(text):
    with pytest.raises(BadMessage):
        parse_media_message(text)
