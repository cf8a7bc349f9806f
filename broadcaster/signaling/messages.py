"""What viewers say: JSON text of a message → typed message.

Every field is checked; one that nobody asked for is ignored, so that later versions can add some.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from broadcaster.errors import BadMessage
from broadcaster.signaling.codes import RestartReason

_LARGEST = 2**53
"""No number of the protocol is larger: beyond it JavaScript's integers are not exact (ECMA-262 §21.1.2.6)."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Opens the session, or takes over the one whose `resume` value this is."""

    token: str | None = None
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to the offer `id`."""

    id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trickled ICE candidate; an empty `candidate` is the end of candidates."""

    id: int
    candidate: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """ "I am here"; `t` is the viewer's clock in ms."""

    t: float | None = None


@dataclass(frozen=True, slots=True)
class Restart:
    """The peer connection `id` does not work: asks for a new offer."""

    id: int
    reason: RestartReason


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The picture is broken: asks for a keyframe."""


@dataclass(frozen=True, slots=True)
class Bye:
    """The viewer leaves."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a later version: ignored, and logged once."""

    type: str


Known = Hello | Answer | Candidate | Heartbeat | Restart | Keyframe | Bye
Message = Known | Unknown


def parse_message(text: str) -> Message:
    """Read one message. Raises `BadMessage`, naming the field that is wrong."""
    fields = _parse_object(text)
    name = _text(fields, "type")
    read = VIEWER_MESSAGES.get(name)
    return Unknown(name) if read is None else read(fields)


def _parse_object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, parse_int=_parse_int, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadMessage("type", "not JSON") from error
    if not isinstance(value, dict):
        raise BadMessage("type", "not an object")
    return value


def _parse_int(digits: str) -> float:
    """Read an integer; one of many digits is only known to be too large, which costs no time."""
    return int(digits) if len(digits) <= 20 else math.inf


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's (RFC 8259 §6)."""
    raise ValueError(name)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise BadMessage(name, f"{name} must be a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadMessage(name, f"{name} holds half of a surrogate pair") from error
    return value


def _optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    return _text(fields, name) if name in fields else None


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadMessage(name, f"{name} must be a number")
    if not abs(value) <= _LARGEST:
        raise BadMessage(name, f"{name} is too large")
    return value


def _id(fields: Mapping[str, Any]) -> int:
    value = _number(fields, "id")
    if not isinstance(value, int):
        raise BadMessage("id", "id must be an integer")
    return value


def _hello(fields: Mapping[str, Any]) -> Hello:
    return Hello(_optional_text(fields, "token"), _optional_text(fields, "resume"))


def _answer(fields: Mapping[str, Any]) -> Answer:
    return Answer(_id(fields), _text(fields, "sdp"))


def _candidate(fields: Mapping[str, Any]) -> Candidate:
    identity = _id(fields)
    value = fields.get("candidate", False)
    if value is None:
        return Candidate(identity, "")
    if not isinstance(value, dict):
        raise BadMessage("candidate", "candidate must be an object as of RTCIceCandidate.toJSON(), or null")
    return Candidate(identity, _text(value, "candidate"))


def _heartbeat(fields: Mapping[str, Any]) -> Heartbeat:
    return Heartbeat(_number(fields, "t") if "t" in fields else None)


def _restart(fields: Mapping[str, Any]) -> Restart:
    identity, reason = _id(fields), _text(fields, "reason")
    try:
        return Restart(identity, RestartReason(reason))
    except ValueError as error:
        raise BadMessage("reason", f"reason must be one of {', '.join(RestartReason)}") from error


VIEWER_MESSAGES: Mapping[str, Callable[[Mapping[str, Any]], Known]] = {
    "hello": _hello,
    "answer": _answer,
    "candidate": _candidate,
    "heartbeat": _heartbeat,
    "restart": _restart,
    "keyframe": lambda fields: Keyframe(),
    "bye": lambda fields: Bye(),
}
"""Every type that a viewer sends, and how it is read; the page's table of names is compared with this one."""
