"""Actions of a push target, in the order in which its owner carries them out, and the answer that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broadcaster.signaling.actions import AddCandidate, ApplyAnswer, ClosePeer, Log

IceServers = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """Ask the server for its ICE servers, make a peer connection and its offer, and pass that to `offered`.

    `ice_servers` are those that the server named before.
    """

    id: int
    ice_servers: IceServers


@dataclass(frozen=True, slots=True)
class Post:
    """Post this offer, and pass the answer to `answered`."""

    id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class CheckConsent:
    """Send a connectivity check."""

    id: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop preparing, posting and applying the answer of that attempt."""

    id: int


@dataclass(frozen=True, slots=True)
class DeleteSession:
    """Delete this WHIP session, and call `deleted` if the server has answered."""

    url: str


@dataclass(frozen=True, slots=True)
class StoreSession:
    """Store the URL of the session, to delete it after a crash."""

    url: str


@dataclass(frozen=True, slots=True)
class ForgetSession:
    """Store that this session is over."""

    url: str


Action = (
    Prepare
    | Post
    | ApplyAnswer
    | AddCandidate
    | CheckConsent
    | Abort
    | ClosePeer
    | DeleteSession
    | StoreSession
    | ForgetSession
    | Log
)


@dataclass(frozen=True, slots=True)
class WhipAnswer:
    """A server's answer to an offer: the URL of the session, the SDP, and the ICE servers in `Link` headers."""

    session: str
    sdp: str
    ice_servers: IceServers = ()
