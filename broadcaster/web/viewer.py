"""One viewer: executes the actions of its session on its WebSocket and its peer connections."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import WSMessage, WSMsgType

from broadcaster.auth.links import OPEN_GRANT, Grant
from broadcaster.auth.tickets import Tickets
from broadcaster.errors import BroadcasterError, IllegalEvent
from broadcaster.model.offers import Offer
from broadcaster.model.stats import PeerStats, ViewerOverview
from broadcaster.model.stream import Quality, QualityPreference, StreamStatus
from broadcaster.ports import Clock, PeerFactory
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.actions import (
    Action,
    AddCandidate,
    ApplyAnswer,
    CloseMedia,
    ClosePeer,
    CloseSocket,
    End,
    Log,
    OpenPeer,
    Ping,
    Prefer,
    RequestKeyframe,
    RequestMediaKeyframe,
    Send,
    SendTicket,
)
from broadcaster.signaling.media import MEDIA_URL, MediaMessage, MediaObject
from broadcaster.signaling.messages import ErrorMessage, StationObject, serialize
from broadcaster.signaling.protocol import CloseCode, ErrorCode, Timings
from broadcaster.signaling.session import Session
from broadcaster.web.media_connection import MediaConnection
from broadcaster.web.viewer_peers import ViewerPeers
from broadcaster.web.websocket import WebSocket, close_code, is_too_big


@dataclass(frozen=True, slots=True)
class ViewerContext:
    """What all viewers share; `ended` is called with each session that has ended.

    `tickets` are those for `/media`, None if that is off. `station` returns what viewers are told about the stream.
    """

    peers: PeerFactory
    clock: Clock
    timings: Timings
    log: RateLimitedLogger
    ended: Callable[[Session], None]
    tickets: Tickets | None = None
    station: Callable[[], StationObject | None] = lambda: None


class Viewer:
    """Owns one session, its timer, its peer connections, and the task that operates these."""

    def __init__(self, session: Session, context: ViewerContext) -> None:
        self.session = session
        self.address = ""
        self.reached_at = ""
        self.grant = OPEN_GRANT
        self.secure = False
        self._context = context
        self._socket: WebSocket | None = None
        self._sockets: dict[int, WebSocket] = {}
        self._peers = ViewerPeers(context.peers, context.timings.peer_timeout)
        self._media: MediaConnection | None = None
        self._preference = QualityPreference.AUTO
        self._timer: asyncio.TimerHandle | None = None
        self._joined_at = context.clock.monotonic()
        self.task = asyncio.create_task(self._peers.run(self), name=f"viewer {session.viewer}")

    def attach(self, socket: WebSocket, viewers: int, grant: Grant) -> None:
        """Use this WebSocket from now on, until `grant` expires."""
        event = "resumed" if self.address else "joined"
        self.address, self.grant, self.secure = socket.address, grant, socket.caller.secure
        self._log(event, f"{event} with the link of {grant.name or 'an unnamed viewer'}" if grant.by_link else event)
        self._socket = self._sockets[socket.number] = socket
        self.reached_at = socket.reached_at
        ticket = self._make_ticket()
        media = MediaObject(MEDIA_URL, ticket) if ticket else None
        self.session.station = self._context.station()
        self._input(lambda now: self.session.attach(socket.number, viewers, now, grant.expires_at, media))

    def receive(self, socket: WebSocket, message: WSMessage) -> None:
        """Process one frame of that WebSocket, other than its end."""
        number, data = socket.number, message.data
        match message.type:
            case WSMsgType.TEXT:
                self._input(lambda now: self.session.receive(number, data, now))
            case WSMsgType.PING:
                self._input(lambda now: self.session.ping(number, now))
            case WSMsgType.PONG:
                self._input(lambda now: self.session.pong(number, bytes(data), now))
            case WSMsgType.BINARY:
                self._violated(number, CloseCode.UNSUPPORTED_DATA, "binary message")

    def detach(self, socket: WebSocket, message: WSMessage | None) -> None:
        """Process the end of that WebSocket: closed with this frame, or lost (None)."""
        if message is not None and is_too_big(message):
            self._violated(socket.number, CloseCode.MESSAGE_TOO_BIG, "message too big")
        code = None if message is None else close_code(message)
        self._input(lambda now: self.session.closed(socket.number, code, now, self._last_activity()))
        self._sockets.pop(socket.number, None)

    def open_media(self, connection: MediaConnection) -> None:
        """Send the stream over this connection to `/media`, instead of the one before, if there is one."""
        if self._media is not None:
            self._media.close(CloseCode.RESUMED_ELSEWHERE)
        self._media = connection
        with self.guard():
            connection.start(self.session.viewer, self, self._preference, self.session.quality)
        self._input(self.session.media_opened)

    def close_media(self, connection: MediaConnection) -> None:
        """Process that a connection to `/media` has ended."""
        connection.close(CloseCode.NORMAL)
        if self._media is connection:
            self._media = None
            self._input(self.session.media_closed)

    def stream_changed(self, status: StreamStatus) -> None:
        """Process a change of the stream."""
        self._input(lambda now: self.session.stream_changed(status, now))

    def viewers_changed(self, count: int) -> None:
        """Process a change of the number of open sessions."""
        self._input(lambda now: self.session.viewers_changed(count))

    def offered(self, id: int, offer: Offer) -> None:
        """Process that the offer of a peer connection is made."""
        self._input(lambda now: self.session.offered(id, offer, now))

    def refused(self, id: int, why: str) -> None:
        """Process that an answer cannot be used."""
        self._input(lambda now: self.session.refused(id, why, now))

    def peer_connected(self, id: int) -> None:
        """Process that a peer connection is connected."""
        self._input(lambda now: self.session.connected(id, now))

    def quality_changed(self, quality: Quality) -> None:
        """A peer connection is about to send another rendition."""
        self._input(lambda now: self.session.quality_changed(quality))

    def peer_lost(self, id: int) -> None:
        """Process that a peer connection has failed or was closed."""
        self._input(lambda now: self.session.lost(id, now))

    def end(self, reason: str, code: CloseCode, error: ErrorMessage | None = None) -> None:
        """Send `error`, and end the session; `task` ends when the peer connections are closed."""
        self._input(lambda now: self.session.end(reason, now, code, error))

    def stats(self) -> dict[str, Any]:
        """Return stats for the operator."""
        return {
            "viewer": self.session.viewer,
            "address": self.address,
            "secure": self.secure,
            "link": self._link_stats(),
            "connected": self.session.is_connected,
            "kept": self.session.is_detached,
            "candidates_dropped": self.session.candidates_dropped,
            "media": None if self._media is None else asdict(self._media.stats()),
            "peers": self._peers.stats(),
        }

    def overview(self) -> ViewerOverview:
        """Return what the owner's page shows."""
        session, grant = self.session, self.grant
        state = "connected" if session.is_connected else "away" if session.is_detached else "connecting"
        seconds = self._context.clock.monotonic() - self._joined_at
        basics = (session.viewer, grant.name, grant.link, self.address, "", seconds, state)
        if self._media is not None:
            media = self._media.stats()
            return ViewerOverview(*basics, media.route, media.quality, estimate=media.estimate)
        return with_peer(basics, self._peers.newest_stats())

    def _link_stats(self) -> dict[str, Any] | None:
        """Return the name in the viewer's link, and the seconds until it expires; None without a link."""
        if not self.grant.by_link:
            return None
        left = self.grant.expires_at - self._context.clock.monotonic()
        return {"name": self.grant.name, "ends_in": round(left, 1)}

    def _input(self, step: Callable[[float], list[Action]]) -> None:
        """Pass one event to the session, and execute its actions."""
        with self.guard():
            self._apply(step(self._context.clock.monotonic()))
        self._set_timer()

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Let an exception end only this viewer; log and ignore an illegal event, which is a bug."""
        try:
            yield
        except IllegalEvent as error:
            self._context.log.error("illegal event", f"viewer {self.session.viewer}: illegal event ignored", error)
        except BroadcasterError as error:
            self._abort(str(error), None)
        except Exception as error:  # noqa: BLE001
            self._abort(repr(error), error)

    def _abort(self, what: str, bug: Exception | None) -> None:
        """End the session because of an error; a bug is logged with its traceback."""
        viewer = f"viewer {self.session.viewer} ({self.address})"
        self._context.log.warning("internal", f"{viewer} ended by an error: {what}", bug)
        message = ErrorMessage(ErrorCode.INTERNAL, "internal error; try again")
        now = self._context.clock.monotonic()
        self._apply(self.session.end("internal error", now, CloseCode.RESTART, message))

    def _apply(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(message) if self._socket is not None:
                    self._socket.send(serialize(message))
                case Ping(payload) if self._socket is not None:
                    self._socket.ping(payload)
                case CloseSocket(socket, code) if socket in self._sockets:
                    self._sockets[socket].close(code)
                case Prefer(preference):
                    self._preference = preference
                    self._peers.prefer(preference)
                    if self._media is not None:
                        self._media.prefer(preference)
                case SendTicket() if self._socket is not None and (ticket := self._make_ticket()):
                    self._socket.send(serialize(MediaMessage(MEDIA_URL, ticket)))
                case RequestMediaKeyframe() if self._media is not None:
                    self._media.request_keyframe()
                case CloseMedia(code) if self._media is not None:
                    self._media.close(code)
                case RequestKeyframe(id):
                    self._peers.request_keyframe(id)
                case OpenPeer() | ApplyAnswer() | AddCandidate() | ClosePeer():
                    self._peers.put(action)
                case Log(kind, text):
                    self._log(kind, text)
                case End(reason, seconds):
                    self._end(reason, seconds)

    def _make_ticket(self) -> str:
        """Return a new ticket for `/media`; empty if that is off."""
        tickets = self._context.tickets
        return "" if tickets is None else tickets.issue(self.session.viewer, self._context.clock.monotonic())

    def _end(self, reason: str, seconds: float) -> None:
        self._log("left", f"left after {seconds:.1f} s: {reason}")
        self._context.ended(self.session)
        if asyncio.current_task() is not self.task:
            self.task.cancel()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.session.next_deadline()
        if deadline < math.inf:
            delay = max(0.0, deadline - self._context.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._step)

    def _step(self) -> None:
        self._input(lambda now: self.session.step(now, self._last_activity()))

    def _last_activity(self) -> float | None:
        """Return when the viewer last gave a sign of life over what it plays; None if it never did."""
        times = (self._peers.last_activity(), None if self._media is None else self._media.last_activity)
        return max((time for time in times if time is not None), default=None)

    def _violated(self, socket: int, code: CloseCode, reason: str) -> None:
        self._input(lambda now: self.session.violated(socket, code, reason, now))

    def _log(self, kind: str, text: str) -> None:
        self._context.log.info(kind, f"viewer {self.session.viewer} ({self.address}) {text}")


def with_peer(basics: tuple[str, str, str, str, str, float, str], peer: PeerStats | None) -> ViewerOverview:
    """Return the overview of a viewer with these first fields and this peer connection, if it has one."""
    if peer is None:
        return ViewerOverview(*basics)
    return ViewerOverview(*basics, peer.route, peer.quality, peer.loss, peer.round_trip, peer.remb)
