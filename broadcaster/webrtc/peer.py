"""Base of all peer connections: ICE and DTLS by aiortc, media from the fan-out through `ViewerSender`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpSender,
)
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpSendParameters
from aiortc.rtp import AnyRtcpPacket

from broadcaster.auth.rate_limits import TokenBucket
from broadcaster.media.rtp import Packetizer
from broadcaster.media.rtx import RtxStream
from broadcaster.model.offers import IceCandidate, NegotiatedMedia
from broadcaster.model.stats import PeerStats, ReceiverReport
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import Clock, PeerListener, RtpDelivery
from broadcaster.signaling.protocol import Timings
from broadcaster.webrtc import internals
from broadcaster.webrtc.feedback import Feedback, nacked_packets, peer_stats
from broadcaster.webrtc.ice import IceConnection
from broadcaster.webrtc.reports import CaptureClock, is_keyframe_request, parse_rtcp
from broadcaster.webrtc.sender import ViewerSender
from broadcaster.webrtc.udp_port import DropReason

SILENCE_LIMIT = Timings().alive
"""Seconds without an authenticated datagram after which no more video is sent."""

PLAYOUT_DELAY_LOSS = 0.02
"""Fraction of lost packets above which the viewer may wait for retransmissions; the page has the same limit."""

RTCP_BYTES_PER_SECOND = 50_000
"""Maximum RTCP from one viewer: five times what a browser sends for a stream of 25 Mbit/s of which a fifth is lost.
Handling so much takes a few percent of a processor, even if every packet requests retransmissions."""

PROFILE_LEVEL_ID = "42e01f"
"""Constrained baseline, level 3.1: Safari and Firefox reject others. The actual level is in the SPS."""


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


class PeerConnection:
    """Transport and media of one peer connection, whichever side made the offer: sends RTP, receives RTCP.

    `closed` is called when it has stopped sending for good.
    """

    is_viewer = True
    """Whether the other side is a viewer, not a push target."""

    def __init__(
        self, viewer: str, listener: PeerListener, context: PeerContext, closed: Callable[[PeerConnection], None]
    ) -> None:
        self._on_closed = closed
        self.viewer = viewer
        self._listener = listener
        self.context = context
        self._preference, self._last_quality = QualityPreference.AUTO, Quality.FULL
        self._keyframe_requests = 0
        self._feedback = Feedback(context.packetizer.video.ssrc)
        self._rtcp_limit = TokenBucket(RTCP_BYTES_PER_SECOND)
        self._sender: ViewerSender | None = None
        self.is_closed = False
        self._closing: asyncio.Task[None] | None = None
        # An empty list, because `IceConnection` queries the servers, and aiortc would use a default one.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("connectionstatechange", self._connection_state_changed)

    def add_media(self, kinds: Sequence[str]) -> None:
        """Add the transceivers in the order of the m-lines, and set up their transport; to be called once."""
        context = self.context
        self._kinds = kinds
        senders = [self._add(kind) for kind in kinds]
        self._transport = senders[0].transport
        connection = internals.ice_connection(self._transport)
        if not isinstance(connection, IceConnection):
            raise TypeError("create peer connections within `internals.use_ice_connection`")
        self.ice = connection
        internals.set_profile_order(self._transport, context.profile_order)
        connection.set_rtcp_handler(self._rtcp_received)

    def negotiated(self, kind: str, parameters: RTCRtpSendParameters) -> NegotiatedMedia:
        """Return what was negotiated for the m-line of that kind; `parameters` is how aiortc understood it."""
        raise NotImplementedError

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add a filtered remote candidate; all media is bundled with the first m-line."""
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

    def prefer(self, preference: QualityPreference, last: Quality = Quality.FULL) -> None:
        """Take the viewer's choice of the rendition, now or when it is connected, and what to begin with."""
        self._preference, self._last_quality = preference, last
        self.context.delivery.prefer(self.viewer, preference)

    def request_keyframe(self) -> None:
        """Request a keyframe, because the viewer cannot decode the video."""
        self._keyframe_requests += 1
        self.context.delivery.request_keyframe(self.viewer)

    def last_activity(self) -> float | None:
        """Return the monotonic time of the last authenticated datagram (STUN check or SRTCP), or None."""
        return self.ice.last_activity_at

    def is_listening(self, now: float) -> bool:
        """Return whether an authenticated datagram arrived within the silence limit; called for each video frame."""
        last_activity_at = self.ice.last_activity_at
        return last_activity_at is not None and now - last_activity_at < SILENCE_LIMIT

    def stats(self) -> PeerStats:
        """Return statistics for the operator."""
        sender, queue = self._sender, self.context.delivery.queue_stats(self.viewer)
        if sender is None or queue is None:
            return PeerStats(keyframe_requests=self._keyframe_requests)
        return peer_stats(
            sender,
            queue,
            self._feedback,
            keyframe_requests=self._keyframe_requests,
            dropped=self.ice.dropped.total(),
        )

    async def close(self) -> None:
        """Close the connection and all that belongs to it; idempotent. It completes even if the caller is cancelled."""
        self.is_closed = True
        if self._sender is not None:
            self._sender.send_bye()
        self._stop_sending()
        if self._closing is None:
            # If cancelled half-way, aiortc's close would leave sockets open, and never return when called again.
            self._closing = asyncio.create_task(self._close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self.pc.close()
        internals.break_cycles(self._transport)

    def _add(self, kind: str) -> RTCRtpSender:
        context = self.context
        transceiver = self.pc.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(_codecs(kind))
        if kind == "video":
            internals.replace_sender(transceiver.sender, self._start_video)
            internals.set_ssrcs(transceiver.sender, context.packetizer.video.ssrc, context.rtx.ssrc)
        else:
            internals.replace_sender(transceiver.sender, self._start_audio)
            internals.set_ssrcs(transceiver.sender, context.packetizer.audio.ssrc, 0)
        return transceiver.sender

    def _start_video(self, parameters: RTCRtpSendParameters) -> None:
        """Start sending video: DTLS is connected, and the viewer has accepted it."""
        if self.is_closed:
            return
        media, sender = self.negotiated("video", parameters), self._open_sender()
        number = media.rtx_payload_type
        rtx = RtxStream(self.context.rtx.ssrc, number) if number else None
        sender.start_video(media, str(parameters.rtcp.cname), rtx)
        self._subscribe(sender)

    def _start_audio(self, parameters: RTCRtpSendParameters) -> None:
        if self.is_closed:
            return
        media, sender = self.negotiated("audio", parameters), self._open_sender()
        sender.start_audio(media, str(parameters.rtcp.cname))
        if "video" not in self._kinds:
            self._subscribe(sender)

    def _open_sender(self) -> ViewerSender:
        """Return the sender, which is opened for the first m-line that is started."""
        if self._sender is None:
            self.ice.note_activity()
            self._sender = ViewerSender(
                self.viewer,
                self._transport,
                self.context.packetizer,
                self.context.capture_clock,
                self.is_listening,
                self._connection_lost,
                self._listener.peer_quality,
                is_viewer=self.is_viewer,
            )
        return self._sender

    def _subscribe(self, sender: ViewerSender) -> None:
        self.context.delivery.subscribe(self.viewer, sender, self._preference, self._last_quality)
        self._listener.peer_connected()

    def _rtcp_received(self, data: bytes) -> DropReason | None:
        """Handle an SRTCP datagram; return why it was dropped, or None."""
        compound = internals.unprotect_rtcp(self._transport, data)
        if compound is None:
            return DropReason.UNAUTHENTICATED
        self.ice.note_activity()
        now = self.context.clock.monotonic()
        if not self._rtcp_limit.take(len(data), now):
            return DropReason.RATE_LIMITED
        for packet in parse_rtcp(compound):
            self._handle_rtcp(packet, now)
        return None

    def _handle_rtcp(self, packet: AnyRtcpPacket, now: float) -> None:
        """Handle a keyframe request, NACK, receiver report or bandwidth estimate."""
        if is_keyframe_request(packet, self._feedback.ssrc):
            self.request_keyframe()
        lost = nacked_packets(packet, self._feedback.ssrc)
        if lost and self._sender is not None:
            self._feedback.nacks += 1
            if not self._sender.retransmit(lost, now):
                self.context.delivery.request_keyframe(self.viewer)
        previous_remb = self._feedback.remb
        video = self._sender.video if self._sender is not None else None
        next_sequence = video.next_sequence if video is not None else 0
        report = self._feedback.update(packet, self.context.capture_clock.ntp(now), next_sequence)
        if report is not None:
            self.context.delivery.report(self.viewer, report)
            if self._sender is not None:
                self._apply_report(report, self._sender)
        elif previous_remb is not None and (remb := self._feedback.remb or 0) < previous_remb:
            self.context.delivery.bandwidth_dropped(self.viewer, remb)

    def _apply_report(self, report: ReceiverReport, sender: ViewerSender) -> None:
        if report.loss > PLAYOUT_DELAY_LOSS and sender.allow_playout_delay():
            self.context.delivery.packet_format_changed(self.viewer)
        if self._feedback.round_trip is not None:
            sender.budget.round_trip = self._feedback.round_trip

    def _connection_state_changed(self) -> None:
        if self.pc.connectionState in ("failed", "closed"):
            self._connection_lost()

    def _connection_lost(self) -> None:
        """Stop sending, and tell the listener that the connection is lost."""
        if not self.is_closed:
            self.is_closed = True
            self._stop_sending()
            self._listener.peer_lost()

    def _stop_sending(self) -> None:
        self._on_closed(self)
        sender, self._sender = self._sender, None
        self.context.delivery.unsubscribe(self.viewer, sender)
        if sender is not None:
            sender.close()


def _codecs(kind: str) -> list[RTCRtpCodecCapability]:
    """Return the codecs to offer: H.264 constrained baseline with RTX, or Opus."""
    offered: dict[str, Callable[[RTCRtpCodecCapability], bool]] = {
        "video/h264": lambda codec: codec.parameters.get("profile-level-id") == PROFILE_LEVEL_ID,
        "video/rtx": lambda codec: True,
        "audio/opus": lambda codec: True,
    }
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    return [codec for codec in codecs if (accepts := offered.get(codec.mimeType.lower())) and accepts(codec)]
