"""All players (WHEP): admission of new ones, and their ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from broadcaster.model.stats import ViewerOverview
from broadcaster.model.stream import StreamState, StreamStatus
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.protocol import Timings
from broadcaster.web.player import Player, PlayerContext, PlayerRequest
from broadcaster.web.viewers import Viewers

_MAX_ENDED = 256
"""Sessions that are remembered after their end: a player may send DELETE when we have ended its session already."""


class Players:
    """Owns each `Player` from its offer until its peer connection is closed."""

    def __init__(
        self,
        viewers: Viewers,
        peers: PeerFactory,
        stream: StreamControl,
        clock: Clock,
        timings: Timings,
        log: RateLimitedLogger,
    ) -> None:
        """`viewers` has the places, which players take as other viewers do."""
        self._viewers = viewers
        self._stream = stream
        self._context = PlayerContext(peers, clock, timings, log, self._ended)
        self._players: dict[str, Player] = {}
        self._closing: set[Player] = set()
        self._recently_ended: dict[str, None] = {}
        self._unwatch: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start following the stream."""
        self._unwatch = self._stream.watch(self._stream_changed)

    async def close(self) -> None:
        """End all sessions, and wait until their peer connections are closed; idempotent."""
        self._unwatch()
        self._end_all("the daemon is shutting down")
        closing = [player.closing for player in self._closing if player.closing is not None]
        await asyncio.gather(*closing, return_exceptions=True)

    def admit(self, request: PlayerRequest) -> Player:
        """Return a new player, which takes a place. Raises `Refusal` if there is none."""
        viewer = self._viewers.take_place()
        with contextlib.ExitStack() as undo:
            undo.callback(self._viewers.release_place, viewer)
            player = Player(viewer, request, self._context)
            undo.pop_all()
        self._players[player.secret] = player
        return player

    def find(self, secret: str) -> Player | None:
        """Return the player with this session URL."""
        return self._players.get(secret)

    def has_just_ended(self, secret: str) -> bool:
        """Return whether a session with this URL has ended lately."""
        return secret in self._recently_ended

    def end_links(self, link: str | None = None) -> None:
        """End the sessions of players that were admitted by this link, or by any if all are revoked (None)."""
        for player in list(self._players.values()):
            if player.grant.by_link and link in (None, player.grant.link):
                player.end("the link was ended" if link else "links were revoked")

    def disconnect(self, viewer: str) -> bool:
        """End the session of this player; return whether there is one."""
        found = [player for player in self._players.values() if player.viewer == viewer]
        for player in found:
            player.end("disconnected by the owner")
        return bool(found)

    def overviews(self) -> list[ViewerOverview]:
        """Return what the owner's page shows of each player."""
        return [player.overview() for player in self._players.values()]

    def stats(self) -> list[dict[str, Any]]:
        """Return stats of each player, for the operator."""
        return [player.stats() for player in self._players.values()]

    def _stream_changed(self, status: StreamStatus) -> None:
        """Going offline ends every session; while a source has failed, they stay."""
        if status.state in (StreamState.OFFLINE, StreamState.STOPPING):
            self._end_all("the stream has ended")

    def _end_all(self, reason: str) -> None:
        for player in list(self._players.values()):
            player.end(reason)

    def _ended(self, player: Player) -> None:
        self._players.pop(player.secret, None)
        self._recently_ended[player.secret] = None
        if len(self._recently_ended) > _MAX_ENDED:
            del self._recently_ended[next(iter(self._recently_ended))]
        self._viewers.release_place(player.viewer)
        if player.closing is not None:
            self._closing.add(player)
            player.closing.add_done_callback(lambda _: self._closing.discard(player))
