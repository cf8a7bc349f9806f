"""A peer connection that makes the offer: a viewer of the page."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCIceCandidate, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError, OperationError

from broadcaster.errors import BadAnswer
from broadcaster.model.offers import IceCandidate, Offer
from broadcaster.ports import PeerListener
from broadcaster.signaling.offer_sdp import complete_offer
from broadcaster.webrtc.peer import PeerConnection, PeerContext


class OfferingPeer(PeerConnection):
    """Offers the stream, and connects when the answer comes (`ports.Peer`)."""

    def __init__(
        self, viewer: str, listener: PeerListener, context: PeerContext, closed: Callable[[PeerConnection], None]
    ) -> None:
        super().__init__(viewer, listener, context, closed)
        self.add_media()

    async def offer(self) -> Offer:
        """Gather candidates and make the offer."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return Offer(
            sdp=complete_offer(self.pc.localDescription.sdp, stereo=self.context.packetizer.stereo),
            ice_servers=self.context.ice_servers,
            clock=self.context.delivery.reference,
            addresses=self.ice.own_addresses,
        )

    async def answer(self, sdp: str) -> None:
        """Apply a screened answer, and start connecting. Raises `BadAnswer`."""
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except (ValueError, InternalError, InvalidStateError, OperationError) as error:
            raise BadAnswer(str(error)) from error
        if not self.is_closed:
            self.context.delivery.expect(self.viewer)

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a screened remote candidate; everything is bundled on the first m-line."""
        await self.pc.addIceCandidate(
            RTCIceCandidate(
                component=candidate.component,
                foundation=candidate.foundation,
                ip=candidate.address,
                port=candidate.port,
                priority=candidate.priority,
                protocol=candidate.protocol,
                type=candidate.type,
                relatedAddress=candidate.related_address,
                relatedPort=candidate.related_port,
                sdpMLineIndex=0,
            )
        )
