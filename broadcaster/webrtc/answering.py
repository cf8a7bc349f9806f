"""Peer connections that answer a player's offer (WHEP) with the stream."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpSendParameters

from broadcaster.errors import BadOffer
from broadcaster.model.offers import Answer, NegotiatedMedia
from broadcaster.ports import PeerListener
from broadcaster.signaling.player_answer import Ssrcs, equivalent_offer, write_answer
from broadcaster.signaling.player_offer import PlayerOffer
from broadcaster.webrtc.peer import PeerConnection, PeerContext


class AnsweringPlayerPeer(PeerConnection):
    """Answers one filtered offer, and connects (`ports.PlayerPeer`)."""

    def __init__(
        self,
        viewer: str,
        listener: PeerListener,
        context: PeerContext,
        closed: Callable[[PeerConnection], None],
        offer: PlayerOffer,
    ) -> None:
        super().__init__(viewer, listener, context, closed)
        self._offer = offer
        # In the order of the m-lines, and only these: aiortc would stop the transport that they share.
        self.add_media(list(offer.media))

    async def answer(self) -> Answer:
        """Gather candidates, start connecting, and return the answer. Raises `BadOffer`."""
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(equivalent_offer(self._offer), "offer"))
            await self.pc.setLocalDescription(await self.pc.createAnswer())
        except (ValueError, InternalError, InvalidStateError, OperationError) as error:
            raise BadOffer(str(error)) from error
        packetizer = self.context.packetizer
        if "video" in self._offer.media and not self.is_closed:
            self.context.delivery.expect(self.viewer)
        ssrcs = Ssrcs(packetizer.video.ssrc, self.context.rtx.ssrc, packetizer.audio.ssrc)
        sdp = write_answer(self._offer, self.pc.localDescription.sdp, ssrcs)
        return Answer(sdp, self.context.ice_servers, self.ice.own_addresses)

    def negotiated(self, kind: str, parameters: RTCRtpSendParameters) -> NegotiatedMedia:
        """Return what the player's offer has; aiortc does not know it."""
        return self._offer.media[kind].negotiated
