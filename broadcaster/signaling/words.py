"""The closed sets of words of signaling protocol 1: what daemon, page and other clients have in common."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

SUBPROTOCOL = "broadcaster.v1"


class StreamState(StrEnum):
    """States of the one stream."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = "live"
    STOPPING = "stopping"
    FAILED = "failed"


class StreamReason(StrEnum):
    """Why the stream is `failed`."""

    NO_CAMERA = "no-camera"
    CAMERA_BUSY = "camera-busy"
    CAMERA_LOST = "camera-lost"
    CAMERA_STALLED = "camera-stalled"
    ENCODER = "encoder"
    FILE = "file"
    INTERNAL = "internal"


class Sound(StrEnum):
    """Whether the stream has sound: `none` is on purpose, `lost` is a fault."""

    ON = "on"
    NONE = "none"
    LOST = "lost"


class ByeReason(StrEnum):
    """Why a peer connection is over."""

    STOPPED = "stopped"
    NO_ANSWER = "no-answer"
    LOST = "lost"
    REPLACED = "replaced"


class ErrorCode(StrEnum):
    """Codes of `error` messages."""

    BAD_MESSAGE = "bad-message"
    BAD_ANSWER = "bad-answer"
    NO_HELLO = "no-hello"
    TOKEN_MISSING = "token-missing"
    TOKEN_WRONG = "token-wrong"
    TOKEN_EXPIRED = "token-expired"
    FULL = "full"
    TOO_MANY = "too-many"
    INTERNAL = "internal"


class RestartReason(StrEnum):
    """Why a viewer asks for a new peer connection."""

    ICE_FAILED = "ice-failed"
    NO_FRAMES = "no-frames"
    DECODER = "decoder"


class CloseCode(IntEnum):
    """WebSocket close codes (RFC 6455 §7.4, and our own from 4000)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    MESSAGE_TOO_BIG = 1009
    RESTART = 1012
    PROTOCOL_ERROR = 4000
    TOKEN = 4001
    HEARTBEAT_MISSED = 4002
    FULL = 4003
    TAKEN_OVER = 4004
    TOO_MANY = 4005


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """What viewers are told about the stream; `since` is in Unix seconds."""

    state: StreamState
    since: float
    sound: Sound
    reason: StreamReason | None = None


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A remote ICE candidate that passed the screen (RFC 8839 §5.1)."""

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None
