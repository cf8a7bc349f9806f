"""One viewer's peer connection: SDP, ICE and DTLS by aiortc, media by the fan-out through our own sender."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpSendParameters
from aiortc.rtp import AnyRtcpPacket

from broadcaster.auth.rate_limits import TokenBucket
from broadcaster.errors import BadAnswer
from broadcaster.media.packetizer import Packetizer
from broadcaster.media.rtp import PacketFormat, packet_format
from broadcaster.media.rtx import RtxStream
from broadcaster.model.offers import IceCandidate, Offer
from broadcaster.model.stats import PeerStats, ReceiverReport
from broadcaster.ports import Clock, PeerListener, RtpDelivery
from broadcaster.webrtc import internals
from broadcaster.webrtc.feedback import Feedback, lost_packets
from broadcaster.webrtc.ice import IceConnection
from broadcaster.webrtc.reports import CaptureClock, asks_for_keyframe, parse_rtcp
from broadcaster.webrtc.sender import ViewerSender
from broadcaster.webrtc.stats import peer_stats
from broadcaster.webrtc.udp_port import DropReason

log = logging.getLogger(__name__)

SILENCE_LIMIT = 5.0
"""Seconds without an authenticated datagram after which no more pictures are sent: nobody is there."""

LOSSY = 0.02
"""Share of lost packets above which a viewer waits for repeats; the page's own limit, too."""

REPORTS = 50_000
"""Bytes of RTCP a second that one viewer may send: five times what a browser says of a stream of 25 Mbit/s that loses a
fifth, and still some percent of a processor at most when it asks for all there is."""

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

PROFILE_LEVEL_ID = "42e01f"
"""Constrained baseline: Safari and Firefox refuse others; the true level stands in the SPS."""


@dataclass(frozen=True, slots=True)
class PeerContext:
    """What all peer connections share."""

    delivery: RtpDelivery
    packetizer: Packetizer
    clock: Clock
    capture_clock: CaptureClock
    rtx: RtxStream
    with_audio: bool
    ice_servers: tuple[Mapping[str, Any], ...]
    profile_order: tuple[bytes, ...]


class AiortcPeer:
    """A peer connection that offers the stream (`ports.Peer`); `closed` is told when it stops sending for good."""

    def __init__(
        self, viewer: str, listener: PeerListener, context: PeerContext, closed: Callable[[AiortcPeer], None]
    ) -> None:
        self._when_closed = closed
        self._viewer = viewer
        self._listener = listener
        self._context = context
        self._keyframe_requests = 0
        self._feedback = Feedback(context.packetizer.video.ssrc)
        self._reports = TokenBucket(REPORTS)
        self._sender: ViewerSender | None = None
        self._closed = False
        self._closing: asyncio.Task[None] | None = None
        # The servers that we ask ourselves are the ICE connection's business; without a list aiortc has one of its own.
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._pc.on("connectionstatechange", self._state_changed)
        transceiver = self._add("video", self._start_video)
        internals.set_ssrcs(transceiver.sender, context.packetizer.video.ssrc, context.rtx.ssrc)
        if context.with_audio:
            audio = self._add("audio", self._start_audio)
            internals.set_ssrcs(audio.sender, context.packetizer.audio.ssrc, 0)
        self._transport = transceiver.sender.transport
        connection = internals.ice_connection(self._transport)
        if not isinstance(connection, IceConnection):
            raise TypeError("a peer connection must be made where its ICE connection is ours")
        self._connection = connection
        internals.set_profile_order(self._transport, context.profile_order)
        connection.listen_to_rtcp(self._rtcp_received)

    async def offer(self) -> Offer:
        """Gather candidates and make the offer."""
        await self._pc.setLocalDescription(await self._pc.createOffer())
        return Offer(
            sdp=self._pc.localDescription.sdp,
            ice_servers=self._context.ice_servers,
            clock=self._context.delivery.reference,
            addresses=self._connection.own_addresses,
        )

    async def answer(self, sdp: str) -> None:
        """Apply a screened answer, and start connecting. Raises `BadAnswer`."""
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except (ValueError, InternalError, InvalidStateError, OperationError) as error:
            raise BadAnswer(str(error)) from error
        if not self._closed:
            self._context.delivery.expect(self._viewer)

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a screened remote candidate; everything is bundled on the first m-line."""
        await self._pc.addIceCandidate(
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

    def request_keyframe(self) -> None:
        """The viewer says that its picture is broken."""
        self._keyframe_requests += 1
        self._context.delivery.request_keyframe(self._viewer)

    def last_activity(self) -> float | None:
        """Monotonic time of the last authenticated datagram (STUN check or SRTCP)."""
        return self._connection.heard_at

    def is_listening(self, now: float) -> bool:
        """Whether the viewer was heard within the silence limit; asked for each picture."""
        heard_at = self._connection.heard_at
        return heard_at is not None and now - heard_at < SILENCE_LIMIT

    def stats(self) -> PeerStats:
        """Figures for the operator."""
        sender, queue = self._sender, self._context.delivery.queue_stats(self._viewer)
        if sender is None or queue is None:
            return PeerStats(keyframe_requests=self._keyframe_requests)
        return peer_stats(
            sender,
            queue,
            self._feedback,
            keyframe_requests=self._keyframe_requests,
            dropped=self._connection.dropped.total(),
        )

    async def close(self) -> None:
        """End it and everything that belongs to it; idempotent, and goes on when nobody waits for it any more."""
        self._closed = True
        if self._sender is not None:
            self._sender.say_goodbye()
        self._stop_sending()
        if self._closing is None:
            # aiortc's own, cancelled half-way, would leave its sockets open and never come back when called again.
            self._closing = asyncio.create_task(self._pc.close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    def _add(self, kind: str, started: Callable[[RTCRtpSendParameters], None]) -> RTCRtpTransceiver:
        transceiver = self._pc.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(_codecs(kind))
        internals.take_over(transceiver.sender, started)
        return transceiver

    def _start_video(self, parameters: RTCRtpSendParameters) -> None:
        """DTLS is up, and the viewer wants video: it gets everything from now on."""
        if self._closed:
            return
        context = self._context
        self._connection.hear()
        self._sender = ViewerSender(
            self._viewer,
            self._transport,
            context.packetizer,
            context.capture_clock,
            self.is_listening,
            self._broke,
        )
        wants_rtx = any(codec.payloadType == context.rtx.payload_type for codec in parameters.codecs)
        kind = _kind(parameters, self._sender.tag)
        self._sender.start_video(kind, str(parameters.rtcp.cname), context.rtx if wants_rtx else None)
        context.delivery.subscribe(self._viewer, self._sender)
        self._listener.peer_connected()

    def _start_audio(self, parameters: RTCRtpSendParameters) -> None:
        if self._sender is not None:
            self._sender.start_audio(_kind(parameters, self._sender.tag), str(parameters.rtcp.cname))

    def _rtcp_received(self, data: bytes) -> DropReason | None:
        """An SRTCP datagram straight from the port; why it was not taken."""
        compound = internals.unprotect_rtcp(self._transport, data)
        if compound is None:
            return DropReason.UNAUTHENTICATED
        self._connection.hear()
        now = self._context.clock.monotonic()
        if not self._reports.take(len(data), now):
            return DropReason.FLOOD
        for packet in parse_rtcp(compound):
            self._take(packet, now)
        return None

    def _take(self, packet: AnyRtcpPacket, now: float) -> None:
        """One packet of the viewer's: keyframe request, lost packets, or how it fares."""
        if asks_for_keyframe(packet):
            self.request_keyframe()
        lost = lost_packets(packet, self._feedback.ssrc)
        if lost and self._sender is not None:
            self._feedback.nacks += 1
            if not self._sender.retransmit(lost, now):
                self._context.delivery.request_keyframe(self._viewer)
        before = self._feedback.remb
        report = self._feedback.take(packet, self._context.capture_clock.ntp(now))
        if report is not None:
            self._context.delivery.report(self._viewer, report)
            if self._sender is not None:
                self._heed(report, self._sender)
        elif before is not None and (remb := self._feedback.remb or 0) < before:
            self._context.delivery.bandwidth_dropped(self._viewer, remb)

    def _heed(self, report: ReceiverReport, sender: ViewerSender) -> None:
        if report.loss > LOSSY:
            sender.allow_playout_delay()
        if self._feedback.round_trip is not None:
            sender.budget.round_trip = self._feedback.round_trip

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._broke()

    def _broke(self) -> None:
        """Nothing reaches the viewer over this connection any more."""
        if not self._closed:
            self._closed = True
            self._stop_sending()
            self._listener.peer_lost()

    def _stop_sending(self) -> None:
        self._when_closed(self)
        sender, self._sender = self._sender, None
        self._context.delivery.unsubscribe(self._viewer, sender)
        if sender is not None:
            sender.close()


def _codecs(kind: str) -> list[RTCRtpCodecCapability]:
    """What is offered: H.264 constrained baseline with retransmission, or Opus."""
    wanted: dict[str, Callable[[RTCRtpCodecCapability], bool]] = {
        "video/h264": lambda codec: codec.parameters.get("profile-level-id") == PROFILE_LEVEL_ID,
        "video/rtx": lambda codec: True,
        "audio/opus": lambda codec: True,
    }
    refused: Callable[[RTCRtpCodecCapability], bool] = lambda codec: False  # noqa: E731
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    return [codec for codec in codecs if wanted.get(codec.mimeType.lower(), refused)(codec)]


def _kind(parameters: RTCRtpSendParameters, tag: int) -> PacketFormat:
    """What the answer asks of this m-line's packets."""
    numbers = {extension.uri: extension.id for extension in parameters.headerExtensions}
    return packet_format(tag, numbers.get(MID, 0), numbers.get(ABS_SEND_TIME, 0), numbers.get(PLAYOUT_DELAY, 0))
