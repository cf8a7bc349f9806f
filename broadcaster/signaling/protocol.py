"""Signaling protocol 1: its name, its sets of codes, and its timings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

SUBPROTOCOL = "broadcaster.v1"

NO_STATUS = 1005
"""A close frame without a code (RFC 6455 §7.4.1), as a page's `close()` sends it."""


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
    """WebSocket close codes (RFC 6455 §7.4; from 4000 on our own)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    MESSAGE_TOO_BIG = 1009
    RESTART = 1012
    PROTOCOL_ERROR = 4000
    TOKEN = 4001
    HEARTBEAT_MISSED = 4002
    FULL = 4003
    RESUMED_ELSEWHERE = 4004
    TOO_MANY = 4005


LEFT = "left the page"
"""For the log: a viewer's session ended by its own wish."""


def closing_words(code: int | None) -> str:
    """Return for the log what the end of a WebSocket means whose session may go on; None: without a close frame."""
    if code is None:
        return "connection lost"
    gave_up = code == CloseCode.HEARTBEAT_MISSED
    return "the page gave up its connection" if gave_up else f"WebSocket closed with code {code}"


@dataclass(frozen=True, slots=True)
class Timings:
    """All timings of the protocol in seconds; tests use shorter ones.

    `ping_interval`, `pong_timeout`, `idle` and `server_timeout` are sent in `welcome.heartbeat`. `idle` is for
    the viewer: after that long without sending anything it sends a heartbeat.
    """

    hello_timeout: float = 5
    """From the WebSocket handshake to `hello`."""
    ping_interval: float = 3
    pong_timeout: float = 4
    idle: float = 5
    ask_after: float = 5.5
    """Silence after which the daemon asks for a heartbeat. Browsers slow the timers of a hidden tab down to one a
    minute, but its message handler still answers."""
    server_timeout: float = 7
    connect_timeout: float = 10
    """From the offer until the peer connection is connected."""
    restart_interval: float = 2
    """Between two accepted `restart` messages."""
    alive: float = 5
    """A peer connection is alive if an authenticated datagram arrived within this time."""
    resume_timeout: float = 10
    """How long a session without a WebSocket can be resumed."""
    unconnected_limit: float = 60
    """How long the peer connection of a session may be unconnected while the stream is live, before a new viewer may
    displace the session if the limit is reached: heartbeats alone do not count as watching."""
    viewers_interval: float = 1
    """Between two `viewers` messages."""
    player_silence: float = 10
    """Without an authenticated datagram from a player, which has no heartbeat, until its session ends."""
    close_timeout: float = 0.5
    """From our close frame until the connection is aborted."""
    peer_timeout: float = 5
    """Limit for one operation on a peer connection."""
