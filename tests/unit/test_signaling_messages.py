"""Viewers' messages are read field by field; the daemon's are written as PROTOCOL.md has them."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.errors import BadMessage, StreamReason
from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState, StreamStatus
from broadcaster.signaling.messages import (
    VIEWER_MESSAGES,
    Answer,
    Bye,
    ByeMessage,
    Candidate,
    CandidateInit,
    DaemonMessage,
    ErrorMessage,
    Heartbeat,
    Hello,
    Keyframe,
    MediaClock,
    OfferMessage,
    QualityMessage,
    Restart,
    Unknown,
    ViewersMessage,
    Welcome,
    heartbeat_reply,
    heartbeat_timings,
    parse_message,
    serialize,
    stream_message,
    stream_object,
)
from broadcaster.signaling.protocol import ByeReason, ErrorCode, RestartReason, Timings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"hello"}', Hello()),
        ('{"type":"hello","token":"t","resume":"r","later":[1]}', Hello("t", "r")),
        ('{"type":"answer","id":1,"sdp":"v=0"}', Answer(1, "v=0")),
        (
            '{"type":"candidate","id":2,"candidate":{"candidate":"c","sdpMid":"0","sdpMLineIndex":0}}',
            Candidate(2, CandidateInit("c")),
        ),
        ('{"type":"candidate","id":2,"candidate":{"candidate":""}}', Candidate(2, CandidateInit(""))),
        ('{"type":"candidate","id":2,"candidate":null}', Candidate(2, None)),
        ('{"type":"heartbeat"}', Heartbeat()),
        ('{"type":"heartbeat","t":1234.5}', Heartbeat(1234.5)),
        ('{"type":"restart","id":3,"reason":"no-frames"}', Restart(3, RestartReason.NO_FRAMES)),
        ('{"type":"keyframe"}', Keyframe()),
        ('{"type":"quality","want":"auto"}', QualityMessage(QualityPreference.AUTO)),
        ('{"type":"quality","want":"full"}', QualityMessage(QualityPreference.FULL)),
        ('{"want":"small","type":"quality","later":1}', QualityMessage(QualityPreference.SMALL)),
        ('{"type":"bye"}', Bye()),
        ('{"type":"heartbeat","t":12}', Heartbeat(12)),
        ('{"resume":"r","type":"hello"}', Hello(resume="r")),
        ('{"type":"hello","token":"\\ud83d\\ude00"}', Hello("\U0001f600")),
        ('{"type":"hello","later":1e400}', Hello()),
        ('{"type":"hello","token":"a","token":"b"}', Hello("b")),
        ('{"type":"chat","text":"hi"}', Unknown("chat")),
        ('{"type":"chat","id":"not a number"}', Unknown("chat")),
    ],
)
def test_every_message_is_read(text: str, message: object) -> None:
    assert parse_message(text) == message


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "type"),
        ("hello", "type"),
        ("[]", "type"),
        ('"hello"', "type"),
        ("null", "type"),
        ("[" * 60_000, "type"),
        ('{"type":"hello"', "type"),
        ('{"type":"hello"} {}', "type"),
        ('{"type":"hello","later":' + "[" * 30_000 + "]" * 30_000 + "}", "type"),
        ('{"type":"chat","text":' + "[" * 60_000, "type"),
        ('{"type":"hello","type":"bye"}', "type"),
        ('{"type":"chat","type":"bye"}', "type"),
        ('{"type":"hello","token":"\ud800"}', "type"),
        ('{"type":"heartbeat","t":NaN}', "type"),
        ('{"type":"heartbeat","t":-Infinity}', "type"),
        ("{}", "type"),
        ('{"type":7}', "type"),
        ('{"type":"\\ud800"}', "type"),
        ('{"type":"hello","token":5}', "token"),
        ('{"type":"hello","token":null}', "token"),
        ('{"type":"hello","resume":["r"]}', "resume"),
        ('{"type":"hello","token":"\\udfff"}', "type"),
        ('{"type":"hello","resume":"r","token":5}', "token"),
        ('{"type":"answer","sdp":"v=0"}', "id"),
        ('{"type":"answer","id":true,"sdp":"v=0"}', "id"),
        ('{"type":"answer","id":1.0,"sdp":"v=0"}', "id"),
        ('{"type":"answer","id":1e400,"sdp":"v=0"}', "id"),
        ('{"type":"answer","id":' + "9" * 60_000 + ',"sdp":"v=0"}', "id"),
        ('{"type":"answer","id":1}', "sdp"),
        ('{"type":"candidate","id":1}', "candidate"),
        ('{"type":"candidate","id":1,"candidate":"c"}', "candidate"),
        ('{"type":"candidate","id":1,"candidate":{}}', "candidate"),
        ('{"type":"heartbeat","t":"now"}', "t"),
        ('{"type":"heartbeat","t":9007199254740994}', "t"),
        ('{"type":"heartbeat","t":-1e400}', "t"),
        ('{"type":"heartbeat","t":null}', "t"),
        ('{"type":"restart","id":1}', "reason"),
        ('{"type":"restart","id":1,"reason":"bored"}', "reason"),
        ('{"type":"quality"}', "want"),
        ('{"type":"quality","want":null}', "want"),
        ('{"type":"quality","want":"Small"}', "want"),
        ('{"type":"quality","want":["small"]}', "want"),
    ],
)
def test_invalid_field_is_named(text: str, field: str) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_message(text)
    assert caught.value.field == field


def test_error_text_is_limited() -> None:
    with pytest.raises(BadMessage) as caught:
        parse_message(json.dumps({"type": "restart", "id": 1, "reason": "b" * 60_000}))
    assert len(str(caught.value)) < 300


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["id", "sdp", "candidate", "t", "token", "resume", "reason", "want"])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*VIEWER_MESSAGES, "later"]), st.dictionaries(fields, json_values))
def test_arbitrary_text_is_read_or_raises_bad_message(name: str, rest: dict[str, object]) -> None:
    try:
        message = parse_message(json.dumps({**rest, "type": name}))
    except BadMessage:
        assert name != "later"
    else:
        assert isinstance(message, Unknown) == (name == "later")


STATUS = StreamStatus(StreamState.FAILED, 1700000000.1234, AudioState.LOST, StreamReason.CAMERA_LOST)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (
            Welcome("v1", "secret", True, heartbeat_timings(Timings()), stream_object(STATUS), 3),
            {
                "type": "welcome",
                "session": "v1",
                "resume": "secret",
                "resumed": True,
                "heartbeat": {"ping_interval": 3, "pong_timeout": 4, "idle": 5, "server_timeout": 7},
                "stream": {"state": "failed", "since": 1700000000.123, "sound": "lost", "reason": "camera-lost"},
                "viewers": 3,
            },
        ),
        (
            OfferMessage(4, "v=0", ({"urls": "stun:s"},), MediaClock(90000, 12.5)),
            {
                "type": "offer",
                "id": 4,
                "sdp": "v=0",
                "ice_servers": [{"urls": "stun:s"}],
                "clock": {"rtp": 90000, "at": 12.5},
            },
        ),
        (OfferMessage(4, "v=0", ()), {"type": "offer", "id": 4, "sdp": "v=0", "ice_servers": []}),
        (
            stream_message(StreamStatus(StreamState.LIVE, 7, AudioState.ON)),
            {"type": "stream", "state": "live", "since": 7, "sound": "on"},
        ),
        (
            stream_message(STATUS),
            {
                "type": "stream",
                "state": "failed",
                "since": 1700000000.123,
                "sound": "lost",
                "reason": "camera-lost",
            },
        ),
        (
            stream_message(StreamStatus(StreamState.LIVE, 7, AudioState.ON, has_small=True), Quality.SMALL),
            {"type": "stream", "state": "live", "since": 7, "sound": "on", "quality": "small"},
        ),
        (
            stream_message(StreamStatus(StreamState.LIVE, 7, AudioState.ON, has_small=False), Quality.SMALL),
            {"type": "stream", "state": "live", "since": 7, "sound": "on"},
        ),
        (ViewersMessage(2), {"type": "viewers", "count": 2}),
        (heartbeat_reply(1.5), {"type": "heartbeat", "now": 1500.0}),
        (heartbeat_reply(1.5, 77.25), {"type": "heartbeat", "now": 1500.0, "t": 77.25}),
        (heartbeat_reply(1.5, 0), {"type": "heartbeat", "now": 1500.0, "t": 0}),
        (heartbeat_reply(1.5, ask=True), {"type": "heartbeat", "now": 1500.0, "ask": True}),
        (ByeMessage(3, ByeReason.NO_ANSWER), {"type": "bye", "id": 3, "reason": "no-answer"}),
        (
            ErrorMessage(ErrorCode.FULL, "m", limit=20),
            {"type": "error", "code": "full", "message": "m", "limit": 20},
        ),
        (
            ErrorMessage(ErrorCode.BAD_MESSAGE, "m", field="t"),
            {"type": "error", "code": "bad-message", "message": "m", "field": "t"},
        ),
    ],
)
def test_every_message_is_serialized(message: DaemonMessage, fields: dict[str, object]) -> None:
    text = serialize(message)
    assert json.loads(text) == fields
    assert msgspec.json.decode(text, type=DaemonMessage) == message
