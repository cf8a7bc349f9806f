"""Offers, answers, candidates and restarts of one viewer's peer connections (PROTOCOL.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

from broadcaster.auth.rate_limits import CANDIDATES_PER_OFFER
from broadcaster.errors import BadAnswer, BadMessage, IllegalEvent
from broadcaster.model.offers import Offer
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import (
    Action,
    AddCandidate,
    ApplyAnswer,
    ClosePeer,
    Log,
    OpenPeer,
    RequestKeyframe,
    Send,
)
from broadcaster.signaling.candidates import Dropped, filter_candidate
from broadcaster.signaling.messages import (
    Answer,
    ByeMessage,
    Candidate,
    ErrorMessage,
    MediaClock,
    OfferMessage,
    Restart,
)
from broadcaster.signaling.protocol import ByeReason, ErrorCode, Timings
from broadcaster.signaling.sdp import filter_answer

_NOT_LIVE = (StreamState.OFFLINE, StreamState.STOPPING)


@dataclass(slots=True)
class _OfferedPeer:
    """The peer connection whose offer the viewer has."""

    id: int
    offer: Offer
    deadline: float
    answered: bool = False
    connected: bool = False
    candidates: int = 0
    early_candidates: list[str] = field(default_factory=list)


class Negotiation:
    """At most one peer connection whose offer was sent, and at most one whose offer is being made.

    Raises `IllegalEvent` for peer connections that were never requested.
    """

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._state = StreamState.OFFLINE
        self._peer: _OfferedPeer | None = None
        self._pending: int | None = None
        self._last_requested = 0
        self._last_offered = 0
        self._waits_for_restart = False
        self._restarted_at = float("-inf")
        self.candidates_dropped = 0

    @property
    def has_peer(self) -> bool:
        """Whether the viewer has an offer for a peer connection that is not over."""
        return self._peer is not None

    @property
    def is_connected(self) -> bool:
        """Whether the viewer's peer connection is connected."""
        return self._peer is not None and self._peer.connected

    def stream_changed(self, state: StreamState) -> list[Action]:
        """When going live, offer a peer connection if there is none; when going offline, close all."""
        self._state = state
        if state in _NOT_LIVE:
            self._waits_for_restart = False
            return self._close_all(ByeReason.STOPPED)
        if state is StreamState.LIVE and self._peer is None and not self._waits_for_restart:
            return self._open()
        return []

    def resumed(self) -> list[Action]:
        """The session was resumed: keep a connected peer connection, else make a new offer."""
        if self._peer is None:
            return self.stream_changed(self._state)
        return [] if self._peer.connected else self._open()

    def offered(self, id: int, offer: Offer, now: float) -> list[Action]:
        """The offer is made: send it, and close the peer connection that it replaces."""
        self._check_requested(id)
        if id == self._last_offered:
            raise IllegalEvent(f"peer connection {id} was offered already")
        if id != self._pending:
            return []
        replaced = self._close_peer(ByeReason.REPLACED)
        self._pending = None
        self._last_offered = id
        self._peer = _OfferedPeer(id, offer, now + self._timings.connect_timeout)
        clock = None if offer.clock is None else MediaClock(*offer.clock)
        return [*replaced, Send(OfferMessage(id, offer.sdp, offer.ice_servers, clock))]

    def answer(self, message: Answer) -> list[Action]:
        """Filter and apply the first answer to the newest offer. Raises `BadMessage`."""
        peer = self._known(message.id)
        if peer is None or peer.answered:
            return []
        try:
            filtered = filter_answer(peer.offer.sdp, message.sdp)
        except BadAnswer as error:
            return self.refused(peer.id, str(error))
        peer.answered = True
        actions: list[Action] = [ApplyAnswer(peer.id, filtered.sdp)]
        for text in filtered.candidates:
            actions += self._take_candidate(peer, text)
        for text in peer.early_candidates:
            actions += self._filter(peer, text)
        peer.early_candidates.clear()
        return actions

    def candidate(self, message: Candidate) -> list[Action]:
        """Filter and add one candidate, after the answer. Raises `BadMessage`."""
        peer = self._known(message.id)
        return [] if peer is None else self._take_candidate(peer, message.text)

    def expects(self, message: Candidate) -> bool:
        """Whether this candidate is within the number that is allowed for each offer."""
        peer = self._peer
        return peer is not None and peer.id == message.id and peer.candidates < CANDIDATES_PER_OFFER

    def restart(self, message: Restart, now: float) -> list[Action]:
        """Make a new offer, unless a newer one is on its way. Raises `BadMessage`."""
        self._check_id(message.id)
        newest = message.id == self._last_offered and self._pending is None
        interval_passed = now >= self._restarted_at + self._timings.restart_interval
        if not (newest and interval_passed and self._state is StreamState.LIVE):
            return []
        self._restarted_at = now
        self._waits_for_restart = False
        return [Log("restart", f"requests a new peer connection: {message.reason}"), *self._open()]

    def keyframe(self) -> list[Action]:
        """Request a keyframe: the viewer's picture is broken."""
        return [RequestKeyframe(self._peer.id)] if self._peer is not None and self._peer.connected else []

    def connected(self, id: int) -> list[Action]:
        """That peer connection is connected."""
        self._check_requested(id)
        if self._peer is None or self._peer.id != id or self._peer.connected:
            return []
        self._peer.connected = True
        return [Log("connected", "connected")]

    def lost(self, id: int) -> list[Action]:
        """That peer connection is over; the viewer may request another."""
        self._check_requested(id)
        if self._peer is None or self._peer.id != id:
            return []
        return [Log("peer", "peer connection lost"), *self._close_peer(ByeReason.LOST)]

    def refused(self, id: int, why: str) -> list[Action]:
        """The answer to that offer cannot be used: wait for a restart."""
        self._check_requested(id)
        if self._peer is None or self._peer.id != id:
            return []
        self._peer = None
        self._waits_for_restart = True
        error = ErrorMessage(ErrorCode.BAD_ANSWER, why)
        return [Log("bad-answer", f"bad answer: {why}"), Send(error), ClosePeer(id)]

    def step(self, now: float) -> list[Action]:
        """Close a peer connection that is not connected in time, and wait for a restart."""
        if now < self.next_deadline():
            return []
        self._waits_for_restart = True
        return [Log("peer", "no answer"), *self._close_peer(ByeReason.NO_ANSWER)]

    def next_deadline(self) -> float:
        """When `step` is due; a peer connection that is about to be replaced has no deadline."""
        peer = self._peer
        waits = peer is not None and not peer.connected and self._pending is None
        return peer.deadline if peer is not None and waits else float("inf")

    def end(self) -> list[Action]:
        """Close all peer connections, without a message: the session is over."""
        return [action for action in self._close_all(ByeReason.STOPPED) if isinstance(action, ClosePeer)]

    def _open(self) -> list[Action]:
        if self._pending is not None:
            return []
        self._last_requested += 1
        self._pending = self._last_requested
        return [OpenPeer(self._pending)]

    def _close_all(self, reason: ByeReason) -> list[Action]:
        making, self._pending = self._pending, None
        unfinished = [] if making is None else [ClosePeer(making)]
        return [*self._close_peer(reason), *unfinished]

    def _close_peer(self, reason: ByeReason) -> list[Action]:
        peer, self._peer = self._peer, None
        return [] if peer is None else [Send(ByeMessage(peer.id, reason)), ClosePeer(peer.id)]

    def _check_requested(self, id: int) -> None:
        if not 0 < id <= self._last_requested:
            raise IllegalEvent(f"peer connection {id} was never requested")

    def _check_id(self, id: int) -> None:
        if not 0 < id <= self._last_offered:
            raise BadMessage("id", f"there was no offer {id}")

    def _known(self, id: int) -> _OfferedPeer | None:
        """The peer connection of the newest offer, if that is its id and it is not over."""
        self._check_id(id)
        return self._peer if self._peer is not None and self._peer.id == id else None

    def _take_candidate(self, peer: _OfferedPeer, text: str) -> list[Action]:
        peer.candidates += 1
        if peer.candidates > CANDIDATES_PER_OFFER:
            self.candidates_dropped += 1
            return []
        if not peer.answered:
            peer.early_candidates.append(text)
            return []
        return self._filter(peer, text)

    def _filter(self, peer: _OfferedPeer, text: str) -> list[Action]:
        """Add what passes the filter. The end of candidates (empty) never does: without any, ICE would fail at once."""
        if not text:
            return []
        try:
            return [AddCandidate(peer.id, filter_candidate(text, peer.offer.addresses))]
        except Dropped:
            self.candidates_dropped += 1
            return []
