"""Peer connections that offer the stream."""

from __future__ import annotations

from collections.abc import Callable

from aiortc import RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpSendParameters

from broadcaster.errors import BadAnswer
from broadcaster.model.offers import NegotiatedMedia, Offer
from broadcaster.ports import PeerListener
from broadcaster.signaling.codec_choice import ABS_SEND_TIME, PLAYOUT_DELAY
from broadcaster.signaling.sdp import complete_offer
from broadcaster.webrtc.peer import PeerConnection, PeerContext

_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


class OfferingPeer(PeerConnection):
    """Offers the stream, and connects when it has the answer (`ports.Peer`)."""

    def __init__(
        self, viewer: str, listener: PeerListener, context: PeerContext, closed: Callable[[PeerConnection], None]
    ) -> None:
        super().__init__(viewer, listener, context, closed)
        self.add_media(("video", "audio") if context.with_audio else ("video",))

    async def offer(self) -> Offer:
        """Gather candidates and return the offer."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return Offer(
            sdp=complete_offer(
                self.pc.localDescription.sdp, stereo=self.context.packetizer.stereo, to_server=not self.is_viewer
            ),
            ice_servers=self.context.ice_servers,
            clock=self.context.delivery.reference,
            addresses=self.ice.own_addresses,
        )

    async def answer(self, sdp: str) -> None:
        """Apply a filtered answer, and start connecting. Raises `BadAnswer`."""
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except (ValueError, InternalError, InvalidStateError, OperationError) as error:
            raise BadAnswer(str(error)) from error
        if not self.is_closed:
            self.context.delivery.expect(self.viewer)

    def negotiated(self, kind: str, parameters: RTCRtpSendParameters) -> NegotiatedMedia:
        """Return what the answer accepts; it cannot change payload types and extension ids."""
        ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
        payload_types = [codec.payloadType for codec in parameters.codecs if codec.payloadType is not None]
        rtx = self.context.rtx.payload_type
        return NegotiatedMedia(
            next(number for number in payload_types if number != rtx),
            rtx if kind == "video" and rtx in payload_types else 0,
            ids.get(_MID, 0),
            ids.get(ABS_SEND_TIME, 0),
            ids.get(PLAYOUT_DELAY, 0),
        )
