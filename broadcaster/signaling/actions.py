"""What a session machine asks for: told to its socket, or done to its peer connection, in this order."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.model.offers import IceCandidate
from broadcaster.signaling.messages import DaemonMessage
from broadcaster.signaling.protocol import CloseCode


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message on the session's socket."""

    message: DaemonMessage


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping on the session's socket."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close that socket; nothing more is sent on it."""

    socket: int
    code: CloseCode


@dataclass(frozen=True, slots=True)
class OpenPeer:
    """Make a peer connection and its offer, which comes back by `Session.offered`."""

    id: int


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """Give this screened answer to that peer connection."""

    id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """Give this screened candidate to that peer connection, which has its answer."""

    id: int
    candidate: IceCandidate


@dataclass(frozen=True, slots=True)
class AskKeyframe:
    """The picture that came over that peer connection is broken."""

    id: int


@dataclass(frozen=True, slots=True)
class ClosePeer:
    """End that peer connection."""

    id: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the owner's log; `kind` is what its rate is counted by."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The session is over after `seconds`, for the reason in words: nothing follows this."""

    reason: str
    seconds: float


Action = Send | Ping | CloseSocket | OpenPeer | ApplyAnswer | AddCandidate | AskKeyframe | ClosePeer | Log | End
