"""Closed sets of signaling protocol 1: error codes, close codes, reasons."""

from __future__ import annotations

from enum import IntEnum, StrEnum

SUBPROTOCOL = "broadcaster.v1"


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
