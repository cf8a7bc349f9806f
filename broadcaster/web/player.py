"""One player: executes what its session decides on its peer connection."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from broadcaster.auth.links import Grant
from broadcaster.errors import BroadcasterError
from broadcaster.model.offers import Answer
from broadcaster.model.stats import ViewerOverview
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import Clock, PeerFactory, PlayerPeer
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.candidates import Dropped, filter_candidate
from broadcaster.signaling.player_offer import PlayerOffer
from broadcaster.signaling.player_session import PlayerSession
from broadcaster.signaling.protocol import Timings
from broadcaster.web.proxies import Caller
from broadcaster.web.viewer import with_peer

_SECRET_BYTES = 16
"""128 random bits: the session's URL is the permission to change and to end it (RFC 9725 §4.2)."""
_MAX_AGENT = 120
"""Characters of a player's name that are shown."""


@dataclass(frozen=True, slots=True)
class PlayerContext:
    """What all players share; `ended` is called with each one when it is over."""

    peers: PeerFactory
    clock: Clock
    timings: Timings
    log: RateLimitedLogger
    ended: Callable[[Player], None]


@dataclass(frozen=True, slots=True)
class PlayerRequest:
    """What is known of a player from its request; `reached_at` is our address that it used, `agent` its name."""

    offer: PlayerOffer
    caller: Caller
    grant: Grant
    preference: QualityPreference
    reached_at: str
    agent: str


class Player:
    """Owns one peer connection and the timer that ends it (`ports.PeerListener`)."""

    def __init__(self, viewer: str, request: PlayerRequest, context: PlayerContext) -> None:
        self.viewer = viewer
        self.grant = request.grant
        self.secret = secrets.token_urlsafe(_SECRET_BYTES)
        self.etag = f'"{secrets.token_hex(8)}"'
        self.closing: asyncio.Task[None] | None = None
        self._request = request
        self._context = context
        self._addresses: frozenset[str] = frozenset()
        self._session = PlayerSession(
            request.offer, context.timings, context.clock.monotonic(), request.grant.expires_at
        )
        self._timer: asyncio.TimerHandle | None = None
        self._peer: PlayerPeer | None = context.peers.create_player(viewer, self, request.offer, request.reached_at)
        self._peer.prefer(request.preference)
        link = f" with the link of {request.grant.name or 'an unnamed viewer'}" if request.grant.by_link else ""
        self._log("joined", f"joined by WHEP{link}: {request.agent[:_MAX_AGENT] or 'unnamed player'}")
        self._set_timer()

    async def answer(self) -> Answer:
        """Return the answer to its offer, and start connecting; end the session if that fails.

        Raises `BroadcasterError` and `TimeoutError`.
        """
        answered = False
        try:
            if self._peer is None:
                raise BroadcasterError("the session has ended")
            async with asyncio.timeout(self._context.timings.peer_timeout):
                await self._context.peers.turn(answer=False)
                answer = await self._peer.answer()
                self._addresses = answer.addresses
                await self._add_candidates(self._session.take_candidates(list(self._request.offer.candidates)))
            answered = True
        finally:
            if not answered:
                self.end("not answered")
        return answer

    def take_patch(self) -> bool:
        """Count a PATCH request; return whether there are not too many."""
        return self._session.take_patch(self._context.clock.monotonic())

    async def trickle(self, fragment: str) -> None:
        """Add the candidates in an SDP fragment. Raises `BadOffer`."""
        await self._add_candidates(self._session.read_fragment(fragment))

    def end(self, reason: str) -> None:
        """End the session; `closing` ends when the peer connection is closed. Idempotent."""
        peer, self._peer = self._peer, None  # a cycle otherwise, which only the garbage collector would free
        if peer is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._log("left", f"left after {self._session.seconds(self._context.clock.monotonic()):.1f} s: {reason}")
        self.closing = asyncio.create_task(peer.close(), name=f"viewer {self.viewer} closing")
        self._context.ended(self)

    def peer_connected(self) -> None:
        """See `ports.PeerListener`."""
        if not self._session.is_connected:
            self._log("connected", "connected")
        self._session.connected()
        self._set_timer()

    def peer_quality(self, quality: Quality) -> None:
        """See `ports.PeerListener`; players are not told."""

    def peer_lost(self) -> None:
        """See `ports.PeerListener`."""
        self.end("connection closed")

    def stats(self) -> dict[str, Any]:
        """Return stats for the operator, as of other viewers (`Viewer.stats`)."""
        grant, now = self.grant, self._context.clock.monotonic()
        return {
            "viewer": self.viewer,
            "player": self._request.agent[:_MAX_AGENT],
            "address": self._request.caller.address,
            "secure": self._request.caller.secure,
            "link": {"name": grant.name, "ends_in": round(grant.expires_at - now, 1)} if grant.by_link else None,
            "connected": self._session.is_connected,
            "kept": False,
            "media": None,
            "candidates_dropped": self._session.candidates_dropped,
            "peers": [] if self._peer is None else [{"id": 1, **asdict(self._peer.stats())}],
        }

    def overview(self) -> ViewerOverview:
        """Return what the owner's page shows (`Viewer.overview`)."""
        seconds = self._session.seconds(self._context.clock.monotonic())
        state, agent = "connected" if self._session.is_connected else "connecting", self._request.agent[:_MAX_AGENT]
        basics = (self.viewer, self.grant.name, self.grant.link, self._request.caller.address, agent, seconds, state)
        return with_peer(basics, None if self._peer is None else self._peer.stats())

    async def _add_candidates(self, candidates: list[str]) -> None:
        """Filter remote candidates, and add them."""
        for text in candidates:
            try:
                candidate = filter_candidate(text, self._addresses)
            except Dropped:
                self._session.candidates_dropped += 1
            else:
                if self._peer is not None:
                    await self._peer.add_candidate(candidate)

    def _last_activity(self) -> float | None:
        return None if self._peer is None else self._peer.last_activity()

    def _step(self) -> None:
        reason = self._session.end_reason(self._context.clock.monotonic(), self._last_activity())
        if reason is None:
            self._set_timer()
        else:
            self.end(reason)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._session.next_deadline(self._last_activity())
        if deadline < math.inf and self._peer is not None:
            delay = max(0.0, deadline - self._context.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._step)

    def _log(self, kind: str, text: str) -> None:
        self._context.log.info(kind, f"viewer {self.viewer} ({self._request.caller.address}) {text}")
