"""Peer connections of the engine under measurement, counted, with the pictures that each viewer was sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from broadcaster.model.stats import Traffic
from broadcaster.ports import MediaPeer, PeerFactory, PeerListener
from broadcaster.signaling.player_offer import PlayerOffer

COUNTED_AFTER = 3.0
"""Seconds from a viewer's join until its pictures are counted."""

_RETRY = 0.1


class CountedPeers:
    """`ports.PeerFactory` that wraps another one and keeps track of its open peer connections.

    `published` returns how many pictures the source has made so far.
    """

    def __init__(self, factory: PeerFactory, published: Callable[[], int]) -> None:
        self._factory = factory
        self._published = published
        self.open: set[CountedPeer] = set()

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> CountedPeer:
        return CountedPeer(self._factory.create(viewer, listener, reached_at), self.open, self._published)

    def create_player(
        self, viewer: str, listener: PeerListener, offer: PlayerOffer, reached_at: str = ""
    ) -> CountedPeer:
        return CountedPeer(self._factory.create_player(viewer, listener, offer, reached_at), self.open, self._published)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._factory, name)

    def traffic(self) -> Traffic:
        return sum((peer.stats() for peer in self.open), Traffic())

    def shares(self) -> list[float]:
        """Return the fraction of the pictures that each viewer was sent; 1 for those that have just joined."""
        return [peer.share() for peer in self.open]


class CountedPeer:
    """`ports.MediaPeer` that wraps another one and is counted until it is closed."""

    def __init__(self, peer: MediaPeer, open_peers: set[CountedPeer], published: Callable[[], int]) -> None:
        self._peer = peer
        self._open_peers = open_peers
        self._published = published
        self._since: int | None = None
        self._missed_before: int | None = None
        open_peers.add(self)
        asyncio.get_running_loop().call_later(COUNTED_AFTER, self._count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)

    def share(self) -> float:
        """Return the fraction of the pictures that the viewer was sent; all count as missed until it is connected."""
        if self._since is None:
            return 1.0
        published = self._published() - self._since
        if self._missed_before is None or not published:
            return 0.0
        return 1 - (self._peer.stats().skipped + self._missed_before) / published

    async def close(self) -> None:
        self._open_peers.discard(self)
        await self._peer.close()

    def _count(self) -> None:
        """Begin to count; a viewer that is not connected yet misses what is published until it is."""
        if self._since is None:
            self._since = self._published()
        stats = self._peer.stats()
        if stats.connected:
            self._missed_before = self._published() - self._since - stats.skipped
        elif self in self._open_peers:
            asyncio.get_running_loop().call_later(_RETRY, self._count)
