"""SDP offers, ICE candidates and what they negotiate, as signaling and peer connections exchange them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Offer:
    """An SDP offer, and the other contents of the `offer` message.

    `ice_servers` has the form of `RTCConfiguration.iceServers`. `clock` is an RTP timestamp of the video and the
    matching capture time in milliseconds of the monotonic clock; None before the first picture. `addresses` are this
    machine's own, which remote candidates must not contain.
    """

    sdp: str
    ice_servers: tuple[Mapping[str, Any], ...] = ()
    clock: tuple[int, float] | None = None
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """An SDP answer to a player, with all candidates; the other fields are as in `Offer`."""

    sdp: str
    ice_servers: tuple[Mapping[str, Any], ...] = ()
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A remote ICE candidate that passed the filter (RFC 8839 §5.1)."""

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str
    related_address: str | None = None
    related_port: int | None = None


@dataclass(frozen=True, slots=True)
class NegotiatedMedia:
    """Payload types and header extension ids of one m-line, as offer and answer agree on them; 0: not negotiated."""

    payload_type: int
    rtx_payload_type: int = 0
    mid: int = 0
    abs_send_time: int = 0
    playout_delay: int = 0
