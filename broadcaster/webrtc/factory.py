"""Peer connections that offer the stream, and their factory."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from aiortc import RTCIceCandidate, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError, OperationError

from broadcaster.errors import BadAnswer
from broadcaster.media.rtp import Packetizer, RtpStream
from broadcaster.media.rtx import RtxStream
from broadcaster.model.offers import IceCandidate, Offer
from broadcaster.model.stats import Traffic
from broadcaster.ports import Clock, Peer, PeerListener, RtpDelivery
from broadcaster.settings import IceSettings
from broadcaster.signaling.sdp import complete_offer
from broadcaster.webrtc import internals
from broadcaster.webrtc.ice import IceConnection, IceContext
from broadcaster.webrtc.peer import PLAYOUT_DELAY, PeerConnection, PeerContext
from broadcaster.webrtc.reports import CaptureClock
from broadcaster.webrtc.servers import Servers, own_servers, to_browser

_PLAYOUT_DELAY_NUMBER = 4
"""Its id among the header extensions of the bundle: aiortc has 1 to 3."""

_H264_PAYLOAD_TYPE = 101
_RTX_PAYLOAD_TYPE = 102
_OPUS_PAYLOAD_TYPE = 96
"""aiortc's numbers; the filter refuses answers that change them, and a contract test compares."""

_ANY_WAY = IceSettings()
"""No servers, every interface and every port."""


def make_streams() -> tuple[RtpStream, RtpStream]:
    """The identities of video and audio, the same for every viewer while the daemon runs."""
    video_ssrc, audio_ssrc = random.sample(range(1, 1 << 32), 2)
    return RtpStream(video_ssrc, _H264_PAYLOAD_TYPE, "0"), RtpStream(audio_ssrc, _OPUS_PAYLOAD_TYPE, "1")


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
        """Apply a filtered answer, and start connecting. Raises `BadAnswer`."""
        try:
            await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except (ValueError, InternalError, InvalidStateError, OperationError) as error:
            raise BadAnswer(str(error)) from error
        if not self.is_closed:
            self.context.delivery.expect(self.viewer)

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a filtered remote candidate; everything is bundled on the first m-line."""
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


class AiortcPeers:
    """`ports.PeerFactory` on aiortc.

    Raises `BroadcasterError` when the installed aiortc is not one we know.
    """

    def __init__(
        self,
        delivery: RtpDelivery,
        packetizer: Packetizer,
        clock: Clock,
        *,
        with_audio: bool,
        ice: IceSettings = _ANY_WAY,
    ) -> None:
        internals.check()
        internals.offer_extension("video", PLAYOUT_DELAY, _PLAYOUT_DELAY_NUMBER)
        self._open: set[PeerConnection] = set()
        self._past = Traffic()
        self._room = IceContext(clock, ice.interfaces, ice.ports)
        self._servers = Servers(ice.servers, ice.turn_secret, clock)
        self._context = PeerContext(
            delivery=delivery,
            packetizer=packetizer,
            clock=clock,
            capture_clock=CaptureClock(clock.unix() - clock.monotonic()),
            rtx=RtxStream(random.randrange(1, 1 << 32), _RTX_PAYLOAD_TYPE),
            with_audio=with_audio,
            ice_servers=(),
            profile_order=profile_order(processor_features()),
        )

    def create(self, viewer: str, listener: PeerListener, reached_at: str = "") -> Peer:
        """See `ports.PeerFactory`."""
        servers = self._servers.for_offer(viewer)
        context = replace(self._context, ice_servers=tuple(map(to_browser, servers)))
        with internals.connections_from(partial(IceConnection, self._room, own_servers(servers), reached_at)):
            peer = OfferingPeer(viewer, listener, context, self._closed)
        self._open.add(peer)
        return peer

    def traffic(self) -> Traffic:
        """What all peer connections have sent so far, the closed ones too."""
        traffic = self._past
        for peer in self._open:
            traffic += peer.stats()
        return traffic

    def _closed(self, peer: PeerConnection) -> None:
        if peer in self._open:
            self._open.remove(peer)
            self._past += peer.stats()


GCM = b"SRTP_AEAD_AES_128_GCM"
COUNTER_MODE = b"SRTP_AES128_CM_SHA1_80"

_GCM_INSTRUCTIONS = ({"aes", "pmull"}, {"aes", "pclmulqdq"})
"""AES and carry-less multiplication, as Linux names them on Arm (from Pi 5) and on x86."""


def profile_order(processor_features: set[str]) -> tuple[bytes, bytes]:
    """The order to offer: GCM first only where its two halves are instructions, else it is the dearer one."""
    if any(needed <= processor_features for needed in _GCM_INSTRUCTIONS):
        return (GCM, COUNTER_MODE)
    return (COUNTER_MODE, GCM)


def processor_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """The features that the kernel lists for the first processor; none when it does not say."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
