"""All viewers: admission of new ones, and announcements to all."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from broadcaster.auth.links import Grant
from broadcaster.auth.rate_limits import admission_limiter, networks
from broadcaster.auth.tickets import Tickets
from broadcaster.model.stats import ViewerOverview
from broadcaster.model.stream import StreamStatus
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import ErrorMessage, Refusal, StationObject, too_many
from broadcaster.signaling.protocol import CloseCode, ErrorCode, Timings
from broadcaster.signaling.session import Session
from broadcaster.web.proxies import Caller, is_own
from broadcaster.web.viewer import Viewer, ViewerContext
from broadcaster.web.websocket import WebSocket


@dataclass(frozen=True, slots=True)
class Admission:
    """The session of a viewer, and the one that was ended for it, if any."""

    session: Session
    displaced: Session | None = None


class Sessions:
    """The open sessions: at most `limit`, and no new ones while `refuses_new_viewers` is set; time is an argument.

    Players (WHEP) take places, too. Iteration yields the others, which have a WebSocket.
    `make_secret` returns a new `resume` value.
    """

    def __init__(self, limit: int, make_secret: Callable[[], str], timings: Timings) -> None:
        self.limit = limit
        self.refuses_new_viewers = False
        self._make_secret = make_secret
        self._timings = timings
        self._by_resume: dict[str, Session] = {}
        self._players: set[str] = set()
        self._admitted = 0
        self._announced = 0
        self._next_announcement = -math.inf

    def __len__(self) -> int:
        return len(self._by_resume) + len(self._players)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_resume.values()))

    def __contains__(self, resume: str) -> bool:
        return resume in self._by_resume

    def admit(self, resume: str, status: StreamStatus, now: float) -> Admission:
        """Return the session with this `resume` value, or a new one. Raises `Refusal` if no session can be opened."""
        session = self._by_resume.get(resume)
        if session is not None:
            return Admission(session)
        viewer, displaced = self._take_place(now)
        session = Session(viewer, self._make_secret(), self._timings, status, now)
        self._by_resume[session.resume] = session
        return Admission(session, displaced)

    def admit_player(self, now: float) -> tuple[str, Session | None]:
        """Return the id of a new player, and the session that was ended for it, if any. Raises `Refusal`."""
        viewer, displaced = self._take_place(now)
        self._players.add(viewer)
        return viewer, displaced

    def forget_player(self, viewer: str) -> None:
        """Remove a player whose session has ended; idempotent."""
        self._players.discard(viewer)

    def forget(self, session: Session) -> None:
        """Remove a session that has ended; idempotent."""
        self._by_resume.pop(session.resume, None)

    def full(self, now: float) -> Refusal | None:
        """Return the refusal of a new viewer if the limit is reached and no session can be displaced, else None."""
        if len(self) < self.limit or self._displaceable(now) is not None:
            return None
        return self.refusal()

    def check_overload(self) -> None:
        """Raise `Refusal` while no new viewers are accepted."""
        if self.refuses_new_viewers:
            raise Refusal(ErrorCode.FULL, CloseCode.FULL, "this machine is overloaded; it accepts no new viewers now")

    def refusal(self) -> Refusal:
        """Return the refusal of a viewer beyond the limit."""
        return Refusal(
            ErrorCode.FULL, CloseCode.FULL, f"the limit of {self.limit} viewers is reached", limit=self.limit
        )

    def announcement(self, now: float) -> int | None:
        """Return the number of sessions if it is to be announced now: it has changed, and the interval has passed."""
        if len(self) == self._announced or now < self._next_announcement:
            return None
        self._announced = len(self)
        self._next_announcement = now + self._timings.viewers_interval
        return self._announced

    def next_announcement(self) -> float:
        """Return when `announcement` is to be called again."""
        return math.inf if len(self) == self._announced else self._next_announcement

    def _take_place(self, now: float) -> tuple[str, Session | None]:
        """Return the id of a new viewer, and the session that is ended for it, if any. Raises `Refusal`."""
        self.check_overload()
        displaced = self._displace(now) if len(self) >= self.limit else None
        self._admitted += 1
        return f"v{self._admitted}", displaced

    def _displace(self, now: float) -> Session:
        """Remove and return a session in favour of a new viewer. Raises `Refusal` if none can be displaced."""
        session = self._displaceable(now)
        if session is None:
            raise self.refusal()
        self.forget(session)
        return session

    def _displaceable(self, now: float) -> Session | None:
        """Return the session that was detached first, else one without a peer connection for too long, else None."""
        detached = [session for session in self if session.is_detached]
        if detached:
            return min(detached, key=lambda session: session.resumable_until)
        oldest = min(self, key=lambda session: session.unconnected_since, default=None)
        is_idle = oldest is not None and now - oldest.unconnected_since >= self._timings.unconnected_limit
        return oldest if is_idle else None


class Viewers:
    """Owns each `Viewer` from its first `hello` until its task has ended."""

    def __init__(
        self,
        limit: int,
        peers: PeerFactory,
        stream: StreamControl,
        clock: Clock,
        timings: Timings,
        log: RateLimitedLogger,
        station: Callable[[], StationObject | None] = lambda: None,
        *,
        media: bool = False,
    ) -> None:
        """`media`: viewers may play over `/media`; `station` returns what they are told about the stream."""
        self._tickets = Tickets(lambda: secrets.token_urlsafe(16)) if media else None
        self.sessions = Sessions(limit, lambda: secrets.token_urlsafe(24), timings)
        self._stream = stream
        self._clock = clock
        self._context = ViewerContext(peers, clock, timings, log, self._ended, self._tickets, station)
        self._viewers: dict[str, Viewer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._listeners: list[Callable[[int], None]] = []
        self._admissions = admission_limiter(limit)

    def __len__(self) -> int:
        """The number of open sessions."""
        return len(self.sessions)

    def set_limit(self, limit: int) -> None:
        """Change the maximum number of sessions; those that exceed it stay."""
        self.sessions.limit, self._admissions = limit, admission_limiter(limit)

    def watch(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of open sessions when it changes, at most once per second."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start announcing changes of the stream."""
        self._unwatch = self._stream.watch(self._stream_changed)

    async def close(self) -> None:
        """End all sessions, and wait until their peer connections are closed; idempotent."""
        self._unwatch()
        viewers = list(self._viewers.values())
        for viewer in viewers:
            viewer.end("the daemon is shutting down", CloseCode.GOING_AWAY)
        await asyncio.gather(*(viewer.task for viewer in viewers), return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

    def welcome(self, resume: str, socket: WebSocket, grant: Grant) -> Viewer:
        """Attach this WebSocket to a session, and return its viewer. Raises `Refusal`."""
        admission = self.sessions.admit(resume, self._stream.status, self._clock.monotonic())
        self._end_displaced(admission.displaced)
        viewer = self._viewer_of(admission.session)
        viewer.attach(socket, len(self), grant)
        self._announce_count()
        return viewer

    def redeem(self, ticket: str) -> Viewer | None:
        """Return the viewer to whom a ticket for `/media` was given; None if the ticket is not valid."""
        viewer = None if self._tickets is None else self._tickets.redeem(ticket, self._clock.monotonic())
        return None if viewer is None else self._viewers.get(viewer)

    def check_rate(self, caller: Caller) -> None:
        """Check the rate of new sessions from the caller's network. Raises `Refusal`."""
        if not is_own(caller) and self._admissions.is_exhausted(networks(caller.address), self._clock.monotonic()):
            raise too_many("new viewers")

    def count_new(self, caller: Caller) -> None:
        """Count a new session from the caller's network."""
        self._admissions.spend(networks(caller.address), self._clock.monotonic())

    def check_place(self) -> None:
        """Raise `Refusal` if there is no place for a new viewer."""
        self.sessions.check_overload()
        if (refusal := self.sessions.full(self._clock.monotonic())) is not None:
            raise refusal

    def take_place(self) -> str:
        """Return the id of a new player, which counts as a viewer until its place is released. Raises `Refusal`."""
        viewer, displaced = self.sessions.admit_player(self._clock.monotonic())
        self._end_displaced(displaced)
        self._announce_count()
        return viewer

    def release_place(self, viewer: str) -> None:
        """A player's session has ended."""
        self.sessions.forget_player(viewer)
        self._announce_count()

    def end_links(self, link: str | None = None) -> None:
        """End the sessions of viewers who were admitted by this link, or by any if all are revoked (None)."""
        error = ErrorMessage(ErrorCode.TOKEN_EXPIRED, "this link is no longer valid")
        for viewer in list(self._viewers.values()):
            if viewer.grant.by_link and link in (None, viewer.grant.link):
                viewer.end("the link was ended" if link else "links were revoked", CloseCode.TOKEN, error)

    def disconnect(self, viewer: str) -> bool:
        """End the session of this viewer; return whether there is one. Its page does not reconnect by itself."""
        found = self._viewers.get(viewer)
        if found is not None:
            found.end("disconnected by the owner", CloseCode.NORMAL)
        return found is not None

    def overviews(self) -> list[ViewerOverview]:
        """Return what the owner's page shows of each viewer."""
        return [viewer.overview() for viewer in self._viewers.values()]

    def stats(self) -> list[dict[str, Any]]:
        """Return stats of each viewer, for the operator."""
        return [viewer.stats() for viewer in self._viewers.values()]

    def _end_displaced(self, session: Session | None) -> None:
        if session is not None:
            refusal = self.sessions.refusal()
            self._viewers[session.viewer].end("displaced by a new viewer", refusal.close, refusal.error)

    def _viewer_of(self, session: Session) -> Viewer:
        viewer = self._viewers.get(session.viewer)
        if viewer is None:
            viewer = self._viewers[session.viewer] = Viewer(session, self._context)
            viewer.task.add_done_callback(partial(self._finished, session.viewer))
        return viewer

    def _finished(self, viewer: str, task: asyncio.Task[None]) -> None:
        """Remove a viewer whose task has ended."""
        self._viewers.pop(viewer, None)
        # Until its exception is retrieved, the task keeps a traceback that refers to the viewer, and thus to the task.
        with contextlib.suppress(asyncio.CancelledError):
            task.result()

    def _ended(self, session: Session) -> None:
        self.sessions.forget(session)
        if self._tickets is not None:
            self._tickets.revoke(session.viewer)
        self._announce_count()

    def _stream_changed(self, status: StreamStatus) -> None:
        for viewer in list(self._viewers.values()):
            viewer.stream_changed(status)

    def _announce_count(self) -> None:
        """Announce the number of sessions, now or when the interval since the last announcement has passed."""
        now = self._clock.monotonic()
        count = self.sessions.announcement(now)
        if count is not None:
            for viewer in list(self._viewers.values()):
                viewer.viewers_changed(count)
            for listener in self._listeners:
                listener(count)
        due = self.sessions.next_announcement()
        if self._timer is not None:
            self._timer.cancel()
        if due < math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - now), self._announce_count)
