"""The peer connections of one viewer, operated one operation at a time."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Protocol

from broadcaster.errors import BadAnswer
from broadcaster.model.offers import Offer
from broadcaster.model.stats import PeerStats
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import Peer, PeerFactory
from broadcaster.signaling.actions import AddCandidate, ApplyAnswer, ClosePeer, OpenPeer, PeerAction
from broadcaster.signaling.session import Session


class PeerOwner(Protocol):
    """The viewer, which takes the outcome of the operations, and the events of the peer connections."""

    session: Session
    reached_at: str

    def offered(self, id: int, offer: Offer) -> None:
        """The offer of that peer connection is made."""

    def refused(self, id: int, why: str) -> None:
        """The answer for that peer connection cannot be used."""

    def peer_connected(self, id: int) -> None:
        """That peer connection is connected."""

    def peer_lost(self, id: int) -> None:
        """That peer connection has failed or was closed."""

    def quality_changed(self, quality: Quality) -> None:
        """A peer connection is about to send another rendition."""

    def guard(self) -> AbstractContextManager[None]:
        """Let an exception end only this viewer."""


class ViewerPeers:
    """Creates, operates and closes peer connections; `timeout` limits each operation, in seconds."""

    def __init__(self, factory: PeerFactory, timeout: float) -> None:
        self._factory = factory
        self._timeout = timeout
        self._peers: dict[int, Peer] = {}
        self._preference = QualityPreference.AUTO
        self._jobs: asyncio.Queue[PeerAction] = asyncio.Queue()

    def put(self, action: PeerAction) -> None:
        """Carry this out when everything before is done."""
        self._jobs.put_nowait(action)

    def prefer(self, preference: QualityPreference) -> None:
        """Take the viewer's choice of the rendition."""
        self._preference = preference
        for peer in self._peers.values():
            peer.prefer(preference)

    def request_keyframe(self, id: int) -> None:
        """Request a keyframe for that peer connection, if it is still there."""
        if id in self._peers:
            self._peers[id].request_keyframe()

    def last_activity(self) -> float | None:
        """Return when the last authenticated datagram arrived on any of the peer connections; None if none has."""
        times = (peer.last_activity() for peer in self._peers.values())
        return max((time for time in times if time is not None), default=None)

    def stats(self) -> list[dict[str, Any]]:
        """Return the statistics of each peer connection."""
        return [{"id": id, **asdict(peer.stats())} for id, peer in self._peers.items()]

    def newest_stats(self) -> PeerStats | None:
        """Return the statistics of the newest peer connection; None without any."""
        return next(reversed(self._peers.values())).stats() if self._peers else None

    async def run(self, owner: PeerOwner) -> None:
        """Carry out the operations until the session of `owner` is over, and close the peer connections in the end."""
        try:
            while not owner.session.is_over:
                job = await self._jobs.get()
                if isinstance(job, OpenPeer | ApplyAnswer):
                    await self._factory.turn(answer=isinstance(job, ApplyAnswer))
                with owner.guard():
                    await self._do(job, owner)
        finally:
            for id in list(self._peers):
                with owner.guard():
                    await self._do(ClosePeer(id), owner)

    async def _do(self, job: PeerAction, owner: PeerOwner) -> None:
        async with asyncio.timeout(self._timeout):
            match job:
                case OpenPeer(id):
                    await self._open(id, owner)
                case ApplyAnswer(id, sdp) if id in self._peers:
                    await self._answer(id, sdp, owner)
                case AddCandidate(id, candidate) if id in self._peers:
                    await self._peers[id].add_candidate(candidate)
                case ClosePeer(id) if id in self._peers:
                    await self._peers[id].close()
                    del self._peers[id]

    async def _open(self, id: int, owner: PeerOwner) -> None:
        session = owner.session
        peer = self._factory.create(session.viewer, _Listener(owner, id), owner.reached_at)
        self._peers[id] = peer
        peer.prefer(self._preference, session.quality)
        owner.offered(id, await peer.offer())

    async def _answer(self, id: int, sdp: str, owner: PeerOwner) -> None:
        try:
            await self._peers[id].answer(sdp)
        except BadAnswer as error:
            owner.refused(id, str(error))


class _Listener:
    """Passes the events of one peer connection to its viewer (`ports.PeerListener`)."""

    def __init__(self, viewer: PeerOwner, id: int) -> None:
        self._viewer = viewer
        self._id = id

    def peer_quality(self, quality: Quality) -> None:
        self._viewer.quality_changed(quality)

    def peer_connected(self) -> None:
        self._viewer.peer_connected(self._id)

    def peer_lost(self) -> None:
        self._viewer.peer_lost(self._id)
