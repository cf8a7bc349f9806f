"""One viewer's session: which WebSocket it has, whether it is alive, and when it is over (PROTOCOL.md).

Events and the time go in, actions come out. A session outlives its WebSocket, so WebSockets are numbered, and events
of any but the current one are ignored. Messages are read in `dispatch`, peer connections negotiated in `negotiation`.
"""

from __future__ import annotations

import math
from enum import Enum

from broadcaster.auth.rate_limits import RESUME_COST
from broadcaster.errors import IllegalEvent
from broadcaster.model.offers import Offer
from broadcaster.model.stream import Quality, StreamState, StreamStatus
from broadcaster.signaling.actions import Action, CloseMedia, CloseSocket, End, Log, Ping, Send
from broadcaster.signaling.dispatch import Dispatcher, EndSession, too_many_messages
from broadcaster.signaling.heartbeat import HeartbeatMissed, HeartbeatMonitor, RequestHeartbeat, SendPing
from broadcaster.signaling.media import MediaObject
from broadcaster.signaling.messages import (
    ErrorMessage,
    StationObject,
    ViewersMessage,
    Welcome,
    heartbeat_reply,
    heartbeat_timings,
    stream_message,
    stream_object,
)
from broadcaster.signaling.negotiation import Negotiation
from broadcaster.signaling.protocol import LEFT, NO_STATUS, CloseCode, ErrorCode, Timings, closing_words

_LEAVING = (CloseCode.NORMAL, CloseCode.GOING_AWAY, NO_STATUS)
_LINK_EXPIRED = ErrorMessage(ErrorCode.TOKEN_EXPIRED, "the link has expired")


class SessionState(Enum):
    """States of a session: `DETACHED` has lost its WebSocket and can be resumed, `OVER` is final."""

    NEW = "new"
    ATTACHED = "attached"
    DETACHED = "detached"
    OVER = "over"


class Session:
    """From `welcome` until the daemon decides that it is over; after that, every event but `attach` is ignored."""

    def __init__(self, viewer: str, resume: str, timings: Timings, status: StreamStatus, now: float) -> None:
        self.viewer = viewer
        self.resume = resume
        self.station: StationObject | None = None
        self.state = SessionState.NEW
        self._timings = timings
        self._status = status
        self._quality = Quality.FULL
        self._opened_at = now
        self._ends_at = math.inf
        self._socket = 0
        self._resumable_until = math.inf
        self._alive_until = math.inf
        self._unconnected_since = math.inf
        self._viewers_sent = 0
        self._plays_media = False
        self._heartbeat = HeartbeatMonitor(now, timings)
        self._negotiation = Negotiation(timings)
        self._dispatcher = Dispatcher(self._negotiation)

    @property
    def is_over(self) -> bool:
        """Whether the session has ended."""
        return self.state is SessionState.OVER

    @property
    def quality(self) -> Quality:
        """The rendition that the viewer gets, or got over its last peer connection."""
        return self._quality

    @property
    def is_detached(self) -> bool:
        """Whether it has no WebSocket and can be resumed."""
        return self.state is SessionState.DETACHED

    @property
    def unconnected_since(self) -> float:
        """Since when no peer connection is connected though the stream is live; infinite if that is not so."""
        return self._unconnected_since

    @property
    def resumable_until(self) -> float:
        """When a detached session ends."""
        return self._resumable_until

    @property
    def is_connected(self) -> bool:
        """Whether its peer connection is connected, or it plays over `/media`."""
        return self._negotiation.is_connected or self._plays_media

    @property
    def candidates_dropped(self) -> int:
        """How many candidates were filtered out."""
        return self._negotiation.candidates_dropped

    def attach(
        self, socket: int, viewers: int, now: float, ends_at: float = math.inf, media: MediaObject | None = None
    ) -> list[Action]:
        """Use this WebSocket from now on: the first one, or one that resumes the session.

        `ends_at` is when the viewer's link expires, `media` its way without UDP. Raises `IllegalEvent`.
        """
        if self.is_over or socket <= self._socket:
            raise IllegalEvent(f"WebSocket {socket} cannot be attached to a session that is {self.state.value}")
        replaced: list[Action] = []
        if self.state is SessionState.ATTACHED:
            replaced = [CloseSocket(self._socket, CloseCode.RESUMED_ELSEWHERE)]
        resumed = self.state is not SessionState.NEW
        self.state, self._socket, self._ends_at = SessionState.ATTACHED, socket, ends_at
        self._heartbeat = HeartbeatMonitor(now, self._timings)
        self._viewers_sent = viewers
        if resumed and not self._dispatcher.spend(now, RESUME_COST):
            return [*replaced, *self._end_by(too_many_messages(), now)]
        negotiated = self._negotiation.resumed() if resumed else self._negotiation.stream_changed(self._status.state)
        self._watch_connection(now)
        return [*replaced, Send(self._welcome(resumed, viewers, media)), *negotiated]

    def receive(self, socket: int, text: str, now: float) -> list[Action]:
        """Take a text message."""
        if not self._is_current(socket):
            return []
        self._heartbeat.message_received(now)
        result = self._dispatcher.receive(text, now)
        return self._end_by(result, now) if isinstance(result, EndSession) else self._finish(result, now)

    def ping(self, socket: int, now: float) -> list[Action]:
        """Take a ping frame, or an unsolicited pong: it costs as much as a message."""
        if not self._is_current(socket) or self._dispatcher.spend(now):
            return []
        return self._end_by(too_many_messages(), now)

    def pong(self, socket: int, payload: bytes, now: float) -> list[Action]:
        """Take a pong frame."""
        if not self._is_current(socket) or self._heartbeat.pong(payload):
            return []
        return self.ping(socket, now)

    def closed(self, socket: int, code: int | None, now: float, last_activity: float | None) -> list[Action]:
        """The WebSocket was closed with that code, or was lost without a close frame (None)."""
        if not self._is_current(socket):
            return []
        if code in _LEAVING:
            return self._end(LEFT, now)
        return self._detach(closing_words(code), now, last_activity)

    def violated(self, socket: int, code: CloseCode, reason: str, now: float) -> list[Action]:
        """The viewer violated the WebSocket protocol: end the session with that close code."""
        return self.end(reason, now, code) if self._is_current(socket) else []

    def stream_changed(self, status: StreamStatus, now: float) -> list[Action]:
        """The stream has changed."""
        if self.is_over:
            return []
        self._status = status
        message = Send(stream_message(status, self._quality))
        return self._finish([message, *self._negotiation.stream_changed(status.state)], now)

    def viewers_changed(self, count: int) -> list[Action]:
        """The number of open sessions has changed."""
        if self.state is not SessionState.ATTACHED or count == self._viewers_sent:
            return []
        self._viewers_sent = count
        return [Send(ViewersMessage(count))]

    def offered(self, id: int, offer: Offer, now: float) -> list[Action]:
        """The offer of that peer connection is made. Raises `IllegalEvent`."""
        return [] if self.is_over else self._finish(self._negotiation.offered(id, offer, now), now)

    def connected(self, id: int, now: float) -> list[Action]:
        """That peer connection is connected. Raises `IllegalEvent`."""
        return [] if self.is_over else self._finish(self._negotiation.connected(id), now)

    def media_opened(self, now: float) -> list[Action]:
        """The viewer has opened a connection to `/media`, which counts as a peer connection that is alive."""
        if self.is_over:
            return [CloseMedia(CloseCode.NORMAL)]
        self._plays_media = True
        return self._finish([Log("media", "plays over the web (TCP)")], now)

    def media_closed(self, now: float) -> list[Action]:
        """The viewer's connection to `/media` is closed."""
        if self.is_over:
            return []
        self._plays_media = False
        return self._finish([Log("media", "plays over the web (TCP) no longer")], now)

    def quality_changed(self, quality: Quality) -> list[Action]:
        """The viewer's peer connection is about to send another rendition."""
        if quality is self._quality:
            return []
        self._quality = quality
        attached = self.state is SessionState.ATTACHED
        return [Send(stream_message(self._status, quality))] if attached else []

    def lost(self, id: int, now: float) -> list[Action]:
        """That peer connection is over. Raises `IllegalEvent`."""
        return [] if self.is_over else self._finish(self._negotiation.lost(id), now)

    def refused(self, id: int, why: str, now: float) -> list[Action]:
        """The answer for that peer connection passed the filter, but cannot be used. Raises `IllegalEvent`."""
        return [] if self.is_over else self._finish(self._negotiation.refused(id, why), now)

    def step(self, now: float, last_activity: float | None) -> list[Action]:
        """Do what is due; `last_activity` is when the last authenticated datagram of the viewer arrived."""
        if self.is_over:
            return []
        if now >= self._ends_at:
            return self.end("link expired", now, CloseCode.TOKEN, _LINK_EXPIRED)
        if self.is_detached:
            if now >= self._resumable_until or not self._is_alive(now, last_activity):
                return self._end("not resumed", now)
            return self._finish(self._negotiation.step(now), now)
        actions = self._check_heartbeat(now, last_activity)
        return actions if self.is_over else self._finish([*actions, *self._negotiation.step(now)], now)

    def next_deadline(self) -> float:
        """When `step` is due again."""
        if self.is_over:
            return math.inf
        detached = min(self._resumable_until, self._alive_until)
        own = detached if self.is_detached else self._heartbeat.next_deadline()
        return min(own, self._ends_at, self._negotiation.next_deadline())

    def end(self, reason: str, now: float, code: CloseCode, error: ErrorMessage | None = None) -> list[Action]:
        """End the session: send `error`, and close its WebSocket with `code`."""
        return [] if self.is_over else self._end_by(EndSession(reason, code, error), now)

    def _welcome(self, resumed: bool, viewers: int, media: MediaObject | None) -> Welcome:
        timings, stream = heartbeat_timings(self._timings), stream_object(self._status, self._quality)
        return Welcome(self.viewer, self.resume, resumed, timings, stream, viewers, media, self.station)

    def _is_current(self, socket: int) -> bool:
        return self.state is SessionState.ATTACHED and socket == self._socket

    def _check_heartbeat(self, now: float, last_activity: float | None) -> list[Action]:
        actions: list[Action] = []
        for due in self._heartbeat.step(now):
            match due:
                case SendPing(payload):
                    actions.append(Ping(payload))
                case RequestHeartbeat():
                    actions.append(Send(heartbeat_reply(now, ask=True)))
                case HeartbeatMissed(reason):
                    actions.append(CloseSocket(self._socket, CloseCode.HEARTBEAT_MISSED))
                    actions += self._detach(reason, now, last_activity)
        return actions

    def _detach(self, reason: str, now: float, last_activity: float | None) -> list[Action]:
        """The WebSocket is gone: the session can be resumed for a while, as long as its peer connection is alive."""
        self.state = SessionState.DETACHED
        if not self._is_alive(now, last_activity):
            return self._end(reason, now)
        self._resumable_until = now + self._timings.resume_timeout
        return [Log("detached", f"disconnected ({reason}), may come back within {self._timings.resume_timeout:g} s")]

    def _is_alive(self, now: float, last_activity: float | None) -> bool:
        """Whether an authenticated datagram arrived lately; notes when to check again."""
        self._alive_until = -math.inf if last_activity is None else last_activity + self._timings.alive
        return self._has_media and now < self._alive_until

    @property
    def _has_media(self) -> bool:
        """Whether it has a peer connection, or plays over `/media`."""
        return self._negotiation.has_peer or self._plays_media

    def _finish(self, actions: list[Action], now: float) -> list[Action]:
        """A detached session depends on what it plays: without that it ends, and nothing can be sent."""
        self._watch_connection(now)
        if not self.is_detached:
            return actions
        if not self._has_media:
            actions = [*actions, *self._end("disconnected, and its video ended", now)]
        return [action for action in actions if not isinstance(action, Send | Ping)]

    def _watch_connection(self, now: float) -> None:
        if self._status.state is not StreamState.LIVE or self.is_connected:
            self._unconnected_since = math.inf
        else:
            self._unconnected_since = min(self._unconnected_since, now)

    def _end_by(self, end: EndSession, now: float) -> list[Action]:
        error: list[Action] = []
        if end.error is not None and self.state is SessionState.ATTACHED:
            error = [Send(end.error)]
        return [*error, *self._end(end.reason, now, end.code)]

    def _end(self, reason: str, now: float, code: CloseCode = CloseCode.NORMAL) -> list[Action]:
        closed: list[Action] = [CloseSocket(self._socket, code)] if self.state is SessionState.ATTACHED else []
        self.state = SessionState.OVER
        if self._plays_media:
            closed.append(CloseMedia(code if code is CloseCode.GOING_AWAY else CloseCode.NORMAL))
        return [*self._negotiation.end(), *closed, End(reason, now - self._opened_at)]
