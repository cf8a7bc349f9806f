"""One viewer's peer connections: offers, answers, candidates and restarts, as a machine (PROTOCOL.md)."""

from __future__ import annotations

from dataclasses import dataclass, field

from broadcaster.auth.rate_limits import CANDIDATES_AN_OFFER
from broadcaster.errors import BadAnswer, BadMessage
from broadcaster.model.offers import Offer
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import Action, AddCandidate, ApplyAnswer, AskKeyframe, ClosePeer, Log, OpenPeer, Send
from broadcaster.signaling.candidates import Dropped, screen_candidate
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
from broadcaster.signaling.sdp import screen_answer

_OFF_AIR = (StreamState.OFFLINE, StreamState.STOPPING)


@dataclass(slots=True)
class _OfferedPeer:
    """The peer connection whose offer the viewer has."""

    id: int
    offer: Offer
    deadline: float
    answered: bool = False
    connected: bool = False
    candidates: int = 0
    waiting: list[str] = field(default_factory=list)


class Negotiation:
    """At most one peer connection that the viewer knows of, and at most one whose offer is being made."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._state = StreamState.OFFLINE
        self._peer: _OfferedPeer | None = None
        self._making: int | None = None
        self._last_made = 0
        self._last_offered = 0
        self._unanswered = False
        self._restarted_at = float("-inf")
        self.candidates_dropped = 0

    @property
    def has_peer(self) -> bool:
        """Whether the viewer knows of a peer connection."""
        return self._peer is not None

    @property
    def is_connected(self) -> bool:
        """Whether the viewer's peer connection is connected."""
        return self._peer is not None and self._peer.connected

    def stream_changed(self, state: StreamState) -> list[Action]:
        """Going live brings an offer to who has none; going off air ends what there is; in between all stays."""
        self._state = state
        if state in _OFF_AIR:
            self._unanswered = False
            return self._close_all(ByeReason.STOPPED)
        if state is StreamState.LIVE and self._peer is None and not self._unanswered:
            return self._open()
        return []

    def resumed(self) -> list[Action]:
        """Another socket has the session: media goes on, or a new offer follows when it had not begun."""
        if self._peer is None:
            return self.stream_changed(self._state)
        return [] if self._peer.connected else self._open()

    def offered(self, id: int, offer: Offer, now: float) -> list[Action]:
        """The offer is made: it goes out, and replaces the peer connection before."""
        if id != self._making:
            return []
        replaced = self._close_peer(ByeReason.REPLACED)
        self._making = None
        self._last_offered = id
        self._peer = _OfferedPeer(id, offer, now + self._timings.connect_timeout)
        clock = None if offer.clock is None else MediaClock(*offer.clock)
        return [*replaced, Send(OfferMessage(id, offer.sdp, offer.ice_servers, clock))]

    def answer(self, message: Answer) -> list[Action]:
        """Screen and apply the first answer to the newest offer. Raises `BadMessage`."""
        peer = self._known(message.id)
        if peer is None or peer.answered:
            return []
        try:
            screened = screen_answer(peer.offer.sdp, message.sdp)
        except BadAnswer as error:
            return self.refused(peer.id, str(error))
        peer.answered = True
        actions: list[Action] = [ApplyAnswer(peer.id, screened.sdp)]
        for text in screened.candidates:
            actions += self._take_candidate(peer, text)
        for text in peer.waiting:
            actions += self._screen(peer, text)
        peer.waiting.clear()
        return actions

    def candidate(self, message: Candidate) -> list[Action]:
        """Screen one candidate; before the answer it waits. Raises `BadMessage`."""
        peer = self._known(message.id)
        return [] if peer is None else self._take_candidate(peer, message.text)

    def expects(self, message: Candidate) -> bool:
        """Whether this candidate is one of the twenty that an offer may bring."""
        peer = self._peer
        return peer is not None and peer.id == message.id and peer.candidates < CANDIDATES_AN_OFFER

    def restart(self, message: Restart, now: float) -> list[Action]:
        """Make a new offer, where that is due. Raises `BadMessage`."""
        self._check_id(message.id)
        newest = message.id == self._last_offered and self._making is None
        rested = now >= self._restarted_at + self._timings.restart_interval
        if not (newest and rested and self._state is StreamState.LIVE):
            return []
        self._restarted_at = now
        self._unanswered = False
        return [Log("restart", f"asks for a new peer connection: {message.reason}"), *self._open()]

    def keyframe(self) -> list[Action]:
        """The viewer's picture is broken."""
        return [AskKeyframe(self._peer.id)] if self._peer is not None and self._peer.connected else []

    def connected(self, id: int) -> list[Action]:
        """That peer connection is connected."""
        if self._peer is None or self._peer.id != id or self._peer.connected:
            return []
        self._peer.connected = True
        return [Log("connected", "connected")]

    def lost(self, id: int) -> list[Action]:
        """That peer connection is over; the viewer may ask for another."""
        if self._peer is None or self._peer.id != id:
            return []
        return [Log("peer", "peer connection lost"), *self._close_peer(ByeReason.LOST)]

    def refused(self, id: int, why: str) -> list[Action]:
        """The answer to that offer cannot be used: only a restart brings another offer."""
        if self._peer is None or self._peer.id != id:
            return []
        self._peer = None
        self._unanswered = True
        error = ErrorMessage(ErrorCode.BAD_ANSWER, why)
        return [Log("bad-answer", f"bad answer: {why}"), Send(error), ClosePeer(id)]

    def step(self, now: float) -> list[Action]:
        """End the peer connection that is not connected in time: only a restart brings another offer."""
        if now < self.next_deadline():
            return []
        self._unanswered = True
        return [Log("peer", "no answer"), *self._close_peer(ByeReason.NO_ANSWER)]

    def next_deadline(self) -> float:
        """When `step` is due; a peer connection about to be replaced has no deadline any more."""
        peer = self._peer
        waits = peer is not None and not peer.connected and self._making is None
        return peer.deadline if peer is not None and waits else float("inf")

    def end(self) -> list[Action]:
        """Close what there is, without a word: the session is over."""
        return [action for action in self._close_all(ByeReason.STOPPED) if isinstance(action, ClosePeer)]

    def _open(self) -> list[Action]:
        if self._making is not None:
            return []
        self._last_made += 1
        self._making = self._last_made
        return [OpenPeer(self._making)]

    def _close_all(self, reason: ByeReason) -> list[Action]:
        making, self._making = self._making, None
        unfinished = [] if making is None else [ClosePeer(making)]
        return [*self._close_peer(reason), *unfinished]

    def _close_peer(self, reason: ByeReason) -> list[Action]:
        peer, self._peer = self._peer, None
        return [] if peer is None else [Send(ByeMessage(peer.id, reason)), ClosePeer(peer.id)]

    def _check_id(self, id: int) -> None:
        if not 0 < id <= self._last_offered:
            raise BadMessage("id", f"no offer {id} was made")

    def _known(self, id: int) -> _OfferedPeer | None:
        """The peer connection of the newest offer, if that is its id and it is not over."""
        self._check_id(id)
        return self._peer if self._peer is not None and self._peer.id == id else None

    def _take_candidate(self, peer: _OfferedPeer, text: str) -> list[Action]:
        peer.candidates += 1
        if peer.candidates > CANDIDATES_AN_OFFER:
            self.candidates_dropped += 1
            return []
        if not peer.answered:
            peer.waiting.append(text)
            return []
        return self._screen(peer, text)

    def _screen(self, peer: _OfferedPeer, text: str) -> list[Action]:
        """Pass what may be passed. The end of candidates (empty) never is: without any, ICE would fail at once."""
        if not text:
            return []
        try:
            return [AddCandidate(peer.id, screen_candidate(text, peer.offer.addresses))]
        except Dropped:
            self.candidates_dropped += 1
            return []
