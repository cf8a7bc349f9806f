"""One viewer's session as a machine: what happened and the time go in, actions come out (PROTOCOL.md).

A session outlives its WebSocket: sockets are numbered, and what comes from another than the newest counts
for nothing. Its peer connections are the business of `Negotiation`.
"""

from __future__ import annotations

from broadcaster.auth.rate_limits import BAD_MESSAGE_COST, TAKE_OVER_COST, SlidingWindow
from broadcaster.errors import BadMessage
from broadcaster.model.offers import Offer
from broadcaster.model.stream import StreamStatus
from broadcaster.signaling.actions import Action, CloseSocket, End, Log, Ping, Send
from broadcaster.signaling.heartbeat import AskHeartbeat, HeartbeatWatch, SendPing
from broadcaster.signaling.messages import (
    Answer,
    Bye,
    Candidate,
    ErrorMessage,
    Heartbeat,
    Hello,
    Keyframe,
    Restart,
    Unknown,
    ViewerMessage,
    ViewersMessage,
    Welcome,
    heartbeat_reply,
    heartbeat_timings,
    parse_message,
    stream_message,
    stream_object,
)
from broadcaster.signaling.negotiation import Negotiation
from broadcaster.signaling.protocol import CloseCode, ErrorCode, Timings

NO_STATUS = 1005
"""A close frame without a code (RFC 6455 §7.4.1): what a page's `close()` sends."""

_LEAVING = (CloseCode.NORMAL, CloseCode.GOING_AWAY, NO_STATUS)
_UNKNOWN_TYPES_LOGGED = 8


class Session:
    """From `welcome` until the daemon decides that it is over; then every input is without effect."""

    def __init__(self, viewer: str, resume: str, timings: Timings, status: StreamStatus, now: float) -> None:
        self.viewer = viewer
        self.resume = resume
        self._timings = timings
        self._status = status
        self._opened_at = now
        self._socket: int | None = None
        self._watch = HeartbeatWatch(now, timings)
        self._budget = SlidingWindow()
        self._kept_until: float | None = None
        self._alive_until = float("inf")
        self._viewers_told = 0
        self._unknown: set[str] = set()
        self._over = False
        self._ends_at = float("inf")
        self._peers = Negotiation(timings)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self._over

    @property
    def kept_until(self) -> float | None:
        """When a session without a socket ends; None while it has one."""
        return self._kept_until

    @property
    def is_connected(self) -> bool:
        """Whether its peer connection is connected."""
        return self._peers.is_connected

    @property
    def candidates_dropped(self) -> int:
        """How many candidates did not pass the screen."""
        return self._peers.candidates_dropped

    def attach(self, socket: int, viewers: int, now: float, ends_at: float = float("inf")) -> list[Action]:
        """Go on over this socket: the first one, or one that takes over with the `resume` value.

        `ends_at` is when the link that it came by ends.
        """
        old, self._socket = self._socket, socket
        self._ends_at = ends_at
        resumed = old is not None or self._kept_until is not None
        self._kept_until = None
        self._watch = HeartbeatWatch(now, self._timings)
        self._viewers_told = viewers
        timings, stream = heartbeat_timings(self._timings), stream_object(self._status)
        welcome = Welcome(self.viewer, self.resume, resumed, timings, stream, viewers)
        closed: list[Action] = [] if old is None else [CloseSocket(old, CloseCode.RESUMED_ELSEWHERE)]
        if resumed and not self._budget.spend(now, TAKE_OVER_COST):
            return [*closed, *self._too_many(now)]
        negotiated = self._peers.resumed() if resumed else self._peers.stream_changed(self._status.state)
        return [*closed, Send(welcome), *negotiated]

    def receive(self, socket: int, text: str, now: float) -> list[Action]:
        """Take one text message."""
        if not self._counts(socket):
            return []
        self._watch.heard(now)
        try:
            message = parse_message(text)
        except BadMessage as error:
            return self._bad_message(error, now, BAD_MESSAGE_COST)
        expected = isinstance(message, Candidate) and self._peers.expects(message)
        if not expected and not self._budget.spend(now):
            return self._too_many(now)
        try:
            return self._done(self._take(message, now), now)
        except BadMessage as error:
            return self._bad_message(error, now, BAD_MESSAGE_COST - 1)

    def ping(self, socket: int, now: float) -> list[Action]:
        """A ping frame of the viewer's, or a pong that nobody asked for: it costs as much as a message."""
        if not self._counts(socket) or self._budget.spend(now):
            return []
        return self._too_many(now)

    def pong(self, socket: int, payload: bytes, now: float) -> list[Action]:
        """A pong frame."""
        if not self._counts(socket) or self._watch.pong(payload):
            return []
        return self.ping(socket, now)

    def closed(self, socket: int, code: int | None, now: float, heard: float | None) -> list[Action]:
        """The socket is closed with that code, or gone without a close frame (None)."""
        if not self._counts(socket):
            return []
        if code in _LEAVING:
            return self._end(f"closed with {code}", now)
        return self._keep("connection lost" if code is None else f"closed with {code}", now, heard)

    def misused(self, socket: int, code: CloseCode, reason: str, now: float) -> list[Action]:
        """Something came, or would not go, that no viewer does: it ends with that close code."""
        return self.end(reason, now, code) if self._counts(socket) else []

    def stream_changed(self, status: StreamStatus, now: float) -> list[Action]:
        """The one stream is something else now."""
        if self._over:
            return []
        self._status = status
        return self._done([Send(stream_message(status)), *self._peers.stream_changed(status.state)], now)

    def viewers_changed(self, count: int) -> list[Action]:
        """So many sessions are open."""
        if self._over or self._socket is None or count == self._viewers_told:
            return []
        self._viewers_told = count
        return [Send(ViewersMessage(count))]

    def offered(self, id: int, offer: Offer, now: float) -> list[Action]:
        """The offer of that peer connection is made."""
        return [] if self._over else self._done(self._peers.offered(id, offer, now), now)

    def connected(self, id: int, now: float) -> list[Action]:
        """That peer connection is connected."""
        return self._done(self._peers.connected(id), now)

    def lost(self, id: int, now: float) -> list[Action]:
        """That peer connection is over."""
        return self._done(self._peers.lost(id), now)

    def refused(self, id: int, why: str, now: float) -> list[Action]:
        """The answer for that peer connection passed the screen, but cannot be used."""
        return self._done(self._peers.refused(id, why), now)

    def step(self, now: float, heard: float | None) -> list[Action]:
        """Do what is due; `heard` is when the last authenticated datagram came from the viewer."""
        if self._over:
            return []
        if now >= self._ends_at:
            return self.end("its link ended", now, CloseCode.TOKEN, _link_ended())
        actions = self._peers.step(now)
        if self._socket is not None:
            actions += self._beat(self._socket, now, heard)
        elif self._kept_until is not None and now >= self._kept_until:
            actions += self._end("did not come back", now)
        elif not self._is_alive(now, heard):
            actions += self._end("gone for good", now)
        return self._done(actions, now)

    def next_deadline(self) -> float:
        """When `step` is due again."""
        if self._over:
            return float("inf")
        kept = self._kept_until
        own = self._watch.next_deadline() if kept is None else min(kept, self._alive_until)
        return min(own, self._ends_at, self._peers.next_deadline())

    def end(self, reason: str, now: float, code: CloseCode, error: ErrorMessage | None = None) -> list[Action]:
        """End it for that reason: `error` is told first, `code` closes its socket."""
        if self._over:
            return []
        told: list[Action] = [] if error is None else [Send(error)]
        return self._done([*told, *self._end(reason, now, code)], now)

    def _counts(self, socket: int) -> bool:
        return not self._over and socket == self._socket

    def _take(self, message: ViewerMessage | Unknown, now: float) -> list[Action]:
        match message:
            case Answer():
                return self._peers.answer(message)
            case Candidate():
                return self._peers.candidate(message)
            case Heartbeat():
                return [Send(heartbeat_reply(now, message.t))]
            case Restart():
                return self._peers.restart(message, now)
            case Keyframe():
                return self._peers.keyframe()
            case Bye():
                return self._end("said bye", now)
            case Hello():
                raise BadMessage("type", "the session is open already")
            case Unknown():
                return self._log_unknown(message.type)

    def _log_unknown(self, type: str) -> list[Action]:
        if type in self._unknown or len(self._unknown) >= _UNKNOWN_TYPES_LOGGED:
            return []
        self._unknown.add(type)
        return [Log("unknown", f"sent a message of a type unknown here: {type}")]

    def _bad_message(self, error: BadMessage, now: float, cost: int) -> list[Action]:
        if not self._budget.spend(now, cost):
            return self._too_many(now)
        return [Send(ErrorMessage(ErrorCode.BAD_MESSAGE, str(error), field=error.field))]

    def _too_many(self, now: float) -> list[Action]:
        error = ErrorMessage(ErrorCode.TOO_MANY, "too many messages")
        return self.end("too many messages", now, CloseCode.TOO_MANY, error)

    def _beat(self, socket: int, now: float, heard: float | None) -> list[Action]:
        actions: list[Action] = []
        for beat in self._watch.step(now):
            if isinstance(beat, SendPing):
                actions.append(Ping(beat.payload))
            elif isinstance(beat, AskHeartbeat):
                actions.append(Send(heartbeat_reply(now, ask=True)))
            else:
                actions.append(CloseSocket(socket, CloseCode.HEARTBEAT_MISSED))
                actions += self._keep(beat.reason, now, heard)
        return actions

    def _keep(self, reason: str, now: float, heard: float | None) -> list[Action]:
        """The socket is gone: keep the session for a while, as long as its peer connection is alive."""
        self._socket = None
        if not self._is_alive(now, heard):
            return self._end(reason, now)
        self._kept_until = now + self._timings.resume_timeout
        return [Log("kept", f"kept for {self._timings.resume_timeout:g} s: {reason}")]

    def _is_alive(self, now: float, heard: float | None) -> bool:
        """Whether an authenticated datagram came lately; when that has to be asked again is noted."""
        self._alive_until = float("-inf") if heard is None else heard + self._timings.alive
        return self._peers.has_peer and now < self._alive_until

    def _done(self, actions: list[Action], now: float) -> list[Action]:
        """A kept session lives for its peer connection: without one it ends."""
        if self._kept_until is not None and not self._over and not self._peers.has_peer:
            actions = [*actions, *self._end("peer connection over while away", now)]
        return actions if self._socket is not None else [a for a in actions if not isinstance(a, Send | Ping)]

    def _end(self, reason: str, now: float, code: CloseCode = CloseCode.NORMAL) -> list[Action]:
        self._over = True
        self._kept_until = None
        closed: list[Action] = [] if self._socket is None else [CloseSocket(self._socket, code)]
        return [*self._peers.end(), *closed, End(reason, now - self._opened_at)]


def _link_ended() -> ErrorMessage:
    return ErrorMessage(ErrorCode.TOKEN_EXPIRED, "the link's time has ended")
