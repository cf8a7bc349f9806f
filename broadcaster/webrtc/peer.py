"""Base of all peer connections: ICE and DTLS by aiortc, media from the fan-out through `ViewerSender`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
)
from aiortc.rtcrtpparameters import RTCRtpCodecCapability, RTCRtpSendParameters
from aiortc.rtp import AnyRtcpPacket

from broadcaster.auth.rate_limits import TokenBucket
from broadcaster.media.rtp import PacketFormat, Packetizer
from broadcaster.media.rtx import RtxStream
from broadcaster.model.stats import PeerStats, QueueStats, ReceiverReport
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import Clock, PeerListener, RtpDelivery
from broadcaster.signaling.protocol import Timings
from broadcaster.webrtc import internals
from broadcaster.webrtc.feedback import Feedback, nacked_packets
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

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

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

    def add_media(self) -> None:
        """Add the transceivers in the order of the m-lines, and set up their transport; to be called once."""
        context = self.context
        transceiver = self._add("video", self._start_video)
        internals.set_ssrcs(transceiver.sender, context.packetizer.video.ssrc, context.rtx.ssrc)
        if context.with_audio:
            audio = self._add("audio", self._start_audio)
            internals.set_ssrcs(audio.sender, context.packetizer.audio.ssrc, 0)
        self._transport = transceiver.sender.transport
        connection = internals.ice_connection(self._transport)
        if not isinstance(connection, IceConnection):
            raise TypeError("create peer connections within `internals.use_ice_connection`")
        self.ice = connection
        internals.set_profile_order(self._transport, context.profile_order)
        connection.set_rtcp_handler(self._rtcp_received)

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

    def _add(self, kind: str, started: Callable[[RTCRtpSendParameters], None]) -> RTCRtpTransceiver:
        transceiver = self.pc.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(_codecs(kind))
        internals.replace_sender(transceiver.sender, started)
        if kind == "video":
            internals.drop_bandwidth_estimator(transceiver.receiver)
        return transceiver

    def _start_video(self, parameters: RTCRtpSendParameters) -> None:
        """Start sending: DTLS is connected, and the viewer has accepted the video."""
        if self.is_closed:
            return
        context = self.context
        self.ice.note_activity()
        self._sender = ViewerSender(
            self.viewer,
            self._transport,
            context.packetizer,
            context.capture_clock,
            self.is_listening,
            self._connection_lost,
            self._listener.peer_quality,
            is_viewer=self.is_viewer,
        )
        accepts_rtx = any(codec.payloadType == context.rtx.payload_type for codec in parameters.codecs)
        packet_format = _packet_format(parameters, self._sender.tag)
        self._sender.start_video(packet_format, str(parameters.rtcp.cname), context.rtx if accepts_rtx else None)
        context.delivery.subscribe(self.viewer, self._sender, self._preference, self._last_quality)
        self._listener.peer_connected()

    def _start_audio(self, parameters: RTCRtpSendParameters) -> None:
        if self._sender is not None:
            self._sender.start_audio(_packet_format(parameters, self._sender.tag), str(parameters.rtcp.cname))

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
        if report.loss > PLAYOUT_DELAY_LOSS:
            sender.allow_playout_delay()
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


def _packet_format(parameters: RTCRtpSendParameters, tag: int) -> PacketFormat:
    """Return the packet format that the answer negotiates for this m-line."""
    ids = {extension.uri: extension.id for extension in parameters.headerExtensions}
    return PacketFormat(tag, ids.get(MID, 0), ids.get(ABS_SEND_TIME, 0), ids.get(PLAYOUT_DELAY, 0))


def peer_stats(
    sender: ViewerSender, queue: QueueStats, feedback: Feedback, *, keyframe_requests: int, dropped: int
) -> PeerStats:
    """Return the statistics of a connected peer; `dropped` counts the incoming datagrams that were dropped."""
    return PeerStats(
        connected=True,
        route=sender.datagrams.route,
        video_packets=sender.video.sent.packets if sender.video else 0,
        audio_packets=sender.audio.sent.packets if sender.audio else 0,
        bytes_sent=sender.datagrams.bytes_sent,
        send_errors=sender.datagrams.errors,
        packets_held=sender.datagrams.held,
        keyframe_requests=keyframe_requests,
        retransmitted=sender.budget.packets,
        nacks=feedback.nacks,
        skipped=queue.skipped,
        health=queue.health,
        quality=queue.quality,
        backlog=queue.backlog,
        loss=feedback.loss,
        jitter=feedback.jitter,
        round_trip=feedback.round_trip,
        remb=feedback.remb,
        datagrams_dropped=dropped,
    )
