"""Messages of the signaling protocol in both directions, as msgspec structs, and their JSON text.

Absent fields stay absent, and fields that are not listed here are ignored: later versions may add some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, ValidationError, json, structs

from broadcaster.errors import BadMessage, BroadcasterError, StreamReason
from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState, StreamStatus
from broadcaster.signaling.media import Media, MediaMessage, MediaObject
from broadcaster.signaling.protocol import ByeReason, CloseCode, ErrorCode, RestartReason, Timings

_MAX_SAFE_INTEGER = 2**53
"""JavaScript's integers are exact up to here (ECMA-262 §21.1.2.6)."""
_MAX_DETAIL = 200
"""Characters of a decoder's explanation that are sent back; it may quote the message."""

Id = Annotated[int, Meta(ge=-_MAX_SAFE_INTEGER, le=_MAX_SAFE_INTEGER)]
Number = Id | Annotated[float, Meta(ge=-_MAX_SAFE_INTEGER, le=_MAX_SAFE_INTEGER)]


class Hello(Struct, frozen=True, tag="hello"):
    """Opens the session, or resumes the one with this `resume` value."""

    token: str = ""
    resume: str = ""


class Answer(Struct, frozen=True, tag="answer"):
    """SDP answer to the offer `id`."""

    id: Id
    sdp: str


class CandidateInit(Struct, frozen=True):
    """What is used of `RTCIceCandidate.toJSON()`."""

    candidate: str


class Candidate(Struct, frozen=True, tag="candidate"):
    """A trickled ICE candidate; null, or an empty candidate string, is the end of candidates."""

    id: Id
    candidate: CandidateInit | None

    @property
    def text(self) -> str:
        """The candidate line; empty at the end of candidates."""
        return "" if self.candidate is None else self.candidate.candidate


class Heartbeat(Struct, frozen=True, tag="heartbeat"):
    """Sign of life; `t` is the viewer's clock in ms."""

    t: Number | UnsetType = UNSET


class Restart(Struct, frozen=True, tag="restart"):
    """The peer connection `id` does not work: asks for a new offer."""

    id: Id
    reason: RestartReason


class Keyframe(Struct, frozen=True, tag="keyframe"):
    """The picture is broken: asks for a keyframe."""


class QualityMessage(Struct, frozen=True, tag="quality"):
    """The viewer chooses a rendition."""

    want: QualityPreference


class Bye(Struct, frozen=True, tag="bye"):
    """The viewer leaves."""


class Unknown(Struct, frozen=True):
    """A message of a later version: ignored, and logged once."""

    type: str


ViewerMessage = Hello | Answer | Candidate | Heartbeat | Restart | Keyframe | QualityMessage | Media | Bye


class HeartbeatTimings(Struct, frozen=True):
    """The timings that the viewer needs, in seconds."""

    ping_interval: float
    pong_timeout: float
    idle: float
    server_timeout: float


class StreamObject(Struct, frozen=True, omit_defaults=True):
    """The stream as `welcome`, `stream` and `GET /api/status` show it; `since` in Unix seconds.

    `quality` is the rendition that the viewer gets; absent where there is only one.
    """

    state: StreamState
    since: float
    sound: AudioState
    reason: StreamReason | None = None
    quality: Quality | None = None


class StreamMessage(StreamObject, frozen=True, omit_defaults=True, tag="stream"):
    """The stream has changed."""


class StationObject(Struct, frozen=True, omit_defaults=True):
    """What the owner tells viewers about the stream; times are in Unix seconds."""

    title: str
    line: str
    message: str | None = None
    last_live: float | None = None
    next: float | None = None


class Welcome(Struct, frozen=True, omit_defaults=True, tag="welcome"):
    """The session is open; `viewers` counts this one too."""

    session: str
    resume: str
    resumed: bool
    heartbeat: HeartbeatTimings
    stream: StreamObject
    viewers: int
    media: MediaObject | None = None
    station: StationObject | None = None


class MediaClock(Struct, frozen=True):
    """A video RTP timestamp, and its capture time in ms of the monotonic clock."""

    rtp: int
    at: float


class OfferMessage(Struct, frozen=True, omit_defaults=True, tag="offer"):
    """A new peer connection; it replaces the one before."""

    id: int
    sdp: str
    ice_servers: tuple[Mapping[str, Any], ...]
    clock: MediaClock | None = None


class ViewersMessage(Struct, frozen=True, tag="viewers"):
    """How many sessions are open."""

    count: int


class HeartbeatReply(Struct, frozen=True, omit_defaults=True, tag="heartbeat"):
    """Answer to a heartbeat, whose `t` it returns, or, with `ask`, a request for one; `now` in monotonic ms."""

    now: float
    t: Number | UnsetType = UNSET
    ask: bool = False


class ByeMessage(Struct, frozen=True, tag="bye"):
    """That peer connection is over; the session stays open."""

    id: int
    reason: ByeReason


class ErrorMessage(Struct, frozen=True, omit_defaults=True, tag="error"):
    """An error in a message, or the reason why a session is refused or ended."""

    code: ErrorCode
    message: str
    field: str | None = None
    limit: int | None = None


DaemonMessage = (
    Welcome
    | OfferMessage
    | Candidate
    | StreamMessage
    | ViewersMessage
    | HeartbeatReply
    | MediaMessage
    | ByeMessage
    | ErrorMessage
)
"""`candidate` is reserved: today all candidates of the daemon are in the offer."""


VIEWER_MESSAGES = {str(struct.__struct_config__.tag): struct for struct in get_args(ViewerMessage)}
"""`type` → struct."""


class Refusal(BroadcasterError):
    """Why a WebSocket gets no session: `error` is sent, then the connection is closed with `close`."""

    def __init__(self, code: ErrorCode, close: CloseCode, message: str, *, limit: int | None = None) -> None:
        super().__init__(message)
        self.close = close
        self.error = ErrorMessage(code, message, limit=limit)


def too_many(what: str) -> Refusal:
    """Return the refusal because of too many messages, connections or wrong tokens."""
    return Refusal(ErrorCode.TOO_MANY, CloseCode.TOO_MANY, f"too many {what}")


_encoder = json.Encoder()
_viewer_message = json.Decoder(ViewerMessage)
_object = json.Decoder(dict[str, Raw])
_type = json.Decoder(str)
_fields = {
    name: [(field.name, field.required, json.Decoder(field.type)) for field in structs.fields(struct)]
    for name, struct in VIEWER_MESSAGES.items()
}


def serialize(message: DaemonMessage) -> bytes:
    """Return the JSON text of a message in UTF-8."""
    return _encoder.encode(message)


def parse_message(text: str) -> ViewerMessage | Unknown:
    """Read one message of a viewer. Raises `BadMessage`, naming the field that is wrong."""
    try:
        return _viewer_message.decode(text)
    except ValidationError as error:
        return _unknown(text, error)
    except (DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadMessage("type", "not JSON") from error


def _unknown(text: str, error: ValidationError) -> Unknown:
    """Return the message if only its type is unknown. Raises `BadMessage`.

    msgspec names the field only in the text of its error, which is not meant to be parsed. So each field is read again.
    """
    try:
        fields = _object.decode(text)
    except ValidationError:
        raise BadMessage("type", "not an object") from error
    except (DecodeError, RecursionError):
        raise BadMessage("type", "not JSON") from error
    type = str(_read(fields, "type", _type))
    if type not in VIEWER_MESSAGES:
        return Unknown(type)
    for name, required, decoder in _fields[type]:
        if required or name in fields:
            _read(fields, name, decoder)
    raise BadMessage("type", _detail(error)) from error  # for example a duplicate field


def _read(fields: Mapping[str, Raw], name: str, decoder: json.Decoder[Any]) -> object:
    if name not in fields:
        raise BadMessage(name, f"{name} is missing")
    try:
        return decoder.decode(fields[name])
    except DecodeError as error:
        raise BadMessage(name, f"{name}: {_detail(error)}") from error


def _detail(error: Exception) -> str:
    return str(error)[:_MAX_DETAIL]


def stream_object(status: StreamStatus, quality: Quality | None = None) -> StreamObject:
    """Return the stream as the protocol shows it to a viewer that gets this rendition."""
    shown = quality if status.has_small else None
    return StreamObject(status.state, round(status.since, 3), status.sound, status.reason, shown)


def stream_message(status: StreamStatus, quality: Quality | None = None) -> StreamMessage:
    """Return the message that announces this status to a viewer that gets this rendition."""
    return StreamMessage(*structs.astuple(stream_object(status, quality)))


def heartbeat_timings(timings: Timings) -> HeartbeatTimings:
    """Return the timings that `welcome` contains."""
    return HeartbeatTimings(timings.ping_interval, timings.pong_timeout, timings.idle, timings.server_timeout)


def heartbeat_reply(now: float, t: Number | UnsetType = UNSET, *, ask: bool = False) -> HeartbeatReply:
    """Return a heartbeat of the daemon at `now` in monotonic seconds."""
    return HeartbeatReply(round(now * 1000, 3), t, ask)
