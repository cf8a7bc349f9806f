"""Actions of a session, in the order in which its owner carries them out."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.model.offers import IceCandidate
from broadcaster.model.stream import QualityPreference
from broadcaster.signaling.messages import DaemonMessage
from broadcaster.signaling.protocol import CloseCode


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message on the session's WebSocket."""

    message: DaemonMessage


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a ping frame on the session's WebSocket."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close that WebSocket; nothing more is sent on it."""

    socket: int
    code: CloseCode


@dataclass(frozen=True, slots=True)
class OpenPeer:
    """Create a peer connection and its offer, and pass the offer to `Session.offered`."""

    id: int


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """Apply this filtered answer to that peer connection."""

    id: int
    sdp: str


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """Add this filtered candidate to that peer connection, which has its answer."""

    id: int
    candidate: IceCandidate


@dataclass(frozen=True, slots=True)
class RequestKeyframe:
    """Request a keyframe for that peer connection."""

    id: int


@dataclass(frozen=True, slots=True)
class RequestMediaKeyframe:
    """Request a keyframe for the connection to `/media`, if there is one."""


@dataclass(frozen=True, slots=True)
class SendTicket:
    """Send a new ticket for `/media`, if that is on."""


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Close the connection to `/media`."""

    code: CloseCode


@dataclass(frozen=True, slots=True)
class Prefer:
    """Let every peer connection of the viewer, and its connection to `/media`, send the rendition that it chose."""

    preference: QualityPreference


@dataclass(frozen=True, slots=True)
class ClosePeer:
    """Close that peer connection."""

    id: int


@dataclass(frozen=True, slots=True)
class Log:
    """Log this line about the viewer; lines are rate-limited by `kind`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The session is over after `seconds`; this is its last action."""

    reason: str
    seconds: float


PeerAction = OpenPeer | ApplyAnswer | AddCandidate | ClosePeer
MediaAction = RequestMediaKeyframe | SendTicket | CloseMedia
Action = Send | Ping | CloseSocket | PeerAction | MediaAction | RequestKeyframe | Prefer | Log | End
