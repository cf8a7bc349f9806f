"""All viewers: who is let in, and what everyone is told."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from broadcaster.auth.links import Grant
from broadcaster.model.stream import StreamStatus
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import ErrorMessage
from broadcaster.signaling.opening import Refusal
from broadcaster.signaling.protocol import CloseCode, ErrorCode, Timings
from broadcaster.signaling.session import Session
from broadcaster.signaling.sessions import Sessions
from broadcaster.web.viewer_task import Viewer, ViewerContext
from broadcaster.web.websocket import WebSocket


class Viewers:
    """Owns every `Viewer` from its first `hello` until its task has ended."""

    def __init__(
        self,
        limit: int,
        peers: PeerFactory,
        live: StreamControl,
        clock: Clock,
        timings: Timings,
        log: RateLimitedLogger,
    ) -> None:
        self._live = live
        self._clock = clock
        self._sessions = Sessions(limit, lambda: secrets.token_urlsafe(24), timings)
        self._context = ViewerContext(peers, clock, timings, log, self._ended)
        self._viewers: dict[str, Viewer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._listeners: list[Callable[[int], None]] = []

    def __len__(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    @property
    def limit(self) -> int:
        """How many there may be."""
        return self._sessions.limit

    def watch(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with their number when it has changed, at most once a second."""
        self._listeners.append(listener)

    def refuse_newcomers(self, refused: bool) -> None:
        """Let nobody new in while this machine cannot keep up; who comes back to a session is not new."""
        self._sessions.refuses_newcomers = refused

    def start(self) -> None:
        """Begin to tell viewers of the stream's changes."""
        self._unwatch = self._live.watch(self._stream_changed)

    async def close(self) -> None:
        """Say goodbye to everyone, and wait until their peer connections are closed; idempotent."""
        self._unwatch()
        viewers = list(self._viewers.values())
        for viewer in viewers:
            viewer.end("the daemon goes away", CloseCode.GOING_AWAY)
        await asyncio.gather(*(viewer.task for viewer in viewers), return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

    def knows(self, resume: str | None) -> bool:
        """Whether there is a session with this `resume` value."""
        return self._sessions.knows(resume)

    def welcome(self, resume: str | None, socket: WebSocket, admitted: Grant) -> Viewer:
        """Give this WebSocket its session. Raises `Refusal` when the house is full."""
        admission = self._sessions.admit(resume, self._live.status, self._clock.monotonic())
        if admission.displaced is not None:
            self._viewers[admission.displaced.viewer].end("gave its place to a newcomer", CloseCode.FULL)
        viewer = self._viewer_of(admission.session)
        viewer.attach(socket, len(self), admitted)
        self._tell_number()
        return viewer

    def end_links(self) -> None:
        """End the sessions of those who came by a link: it does not count any more."""
        told = ErrorMessage(ErrorCode.TOKEN_EXPIRED, "this link does not count any more")
        for viewer in list(self._viewers.values()):
            if viewer.admitted.by_link:
                viewer.end("links were revoked", CloseCode.TOKEN, told)

    def full(self) -> Refusal | None:
        """What a newcomer is told when there is no place, not even a kept one."""
        crowded = len(self) >= self.limit and all(session.kept_until is None for session in self._sessions)
        return self._sessions.full() if crowded else None

    def figures(self) -> list[dict[str, Any]]:
        """What the operator sees of each viewer."""
        return [viewer.figures() for viewer in self._viewers.values()]

    def _viewer_of(self, session: Session) -> Viewer:
        viewer = self._viewers.get(session.viewer)
        if viewer is None:
            viewer = self._viewers[session.viewer] = Viewer(session, self._context)
            viewer.task.add_done_callback(partial(self._finished, session.viewer))
        return viewer

    def _finished(self, viewer: str, task: asyncio.Task[None]) -> None:
        """Forget a viewer whose task has ended."""
        self._viewers.pop(viewer, None)
        # The task keeps its exception, whose traceback refers to the viewer, and so to the task, until it is asked for.
        with contextlib.suppress(asyncio.CancelledError):
            task.result()

    def _ended(self, session: Session) -> None:
        self._sessions.forget(session)
        self._tell_number()

    def _stream_changed(self, status: StreamStatus) -> None:
        for viewer in list(self._viewers.values()):
            viewer.stream_changed(status)

    def _tell_number(self) -> None:
        """Tell everyone how many there are, now or when a second has passed since the last time."""
        now = self._clock.monotonic()
        count = self._sessions.news(now)
        if count is not None:
            for viewer in list(self._viewers.values()):
                viewer.viewers_changed(count)
            for listener in self._listeners:
                listener(count)
        next_news = self._sessions.next_news()
        if self._timer is not None:
            self._timer.cancel()
        if next_news < math.inf:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, next_news - now), self._tell_number)
