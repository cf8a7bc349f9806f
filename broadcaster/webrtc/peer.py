"""The part that all peer connections share: ICE and DTLS by aiortc, media from the fan-out through our own sender."""

from __future__ import annotations

import asyncio
import logging
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
from broadcaster.ports import Clock, PeerListener, RtpDelivery
from broadcaster.signaling.protocol import Timings
from broadcaster.webrtc import internals
from broadcaster.webrtc.feedback import Feedback, lost_packets
from broadcaster.webrtc.ice import IceConnection
from broadcaster.webrtc.reports import CaptureClock, asks_for_keyframe, parse_rtcp
from broadcaster.webrtc.sender import ViewerSender
from broadcaster.webrtc.udp_port import DropReason

log = logging.getLogger(__name__)

SILENCE_LIMIT = Timings().alive
"""Seconds without an authenticated datagram after which no more pictures are sent."""

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


class PeerConnection:
    """Transport and media of one peer connection, whichever side made the offer: RTP out, RTCP in.

    `closed` is called when it stops sending for good.
    """

    def __init__(
        self, viewer: str, listener: PeerListener, context: PeerContext, closed: Callable[[PeerConnection], None]
    ) -> None:
        self._when_closed = closed
        self.viewer = viewer
        self._listener = listener
        self.context = context
        self._keyframe_requests = 0
        self._feedback = Feedback(context.packetizer.video.ssrc)
        self._reports = TokenBucket(REPORTS)
        self._sender: ViewerSender | None = None
        self.is_closed = False
        self._closing: asyncio.Task[None] | None = None
        # The servers that we ask ourselves are the ICE connection's business; without a list aiortc has one of its own.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("connectionstatechange", self._state_changed)

    def add_media(self) -> None:
        """Add the transceivers, once, in the order of the m-lines; ICE and DTLS are ours from then on."""
        context = self.context
        transceiver = self._add("video", self._start_video)
        internals.set_ssrcs(transceiver.sender, context.packetizer.video.ssrc, context.rtx.ssrc)
        if context.with_audio:
            audio = self._add("audio", self._start_audio)
            internals.set_ssrcs(audio.sender, context.packetizer.audio.ssrc, 0)
        self._transport = transceiver.sender.transport
        connection = internals.ice_connection(self._transport)
        if not isinstance(connection, IceConnection):
            raise TypeError("a peer connection must be made where its ICE connection is ours")
        self.ice = connection
        internals.set_profile_order(self._transport, context.profile_order)
        connection.listen_to_rtcp(self._rtcp_received)

    def request_keyframe(self) -> None:
        """The viewer says that its picture is broken."""
        self._keyframe_requests += 1
        self.context.delivery.request_keyframe(self.viewer)

    def last_activity(self) -> float | None:
        """Monotonic time of the last authenticated datagram (STUN check or SRTCP)."""
        return self.ice.heard_at

    def is_listening(self, now: float) -> bool:
        """Whether the viewer was heard within the silence limit; asked for each picture."""
        heard_at = self.ice.heard_at
        return heard_at is not None and now - heard_at < SILENCE_LIMIT

    def stats(self) -> PeerStats:
        """Figures for the operator."""
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
        """End it and everything that belongs to it; idempotent, and goes on when nobody waits for it any more."""
        self.is_closed = True
        if self._sender is not None:
            self._sender.say_goodbye()
        self._stop_sending()
        if self._closing is None:
            # aiortc's own, cancelled half-way, would leave its sockets open and never come back when called again.
            self._closing = asyncio.create_task(self._close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self.pc.close()
        internals.break_cycles(self._transport)

    def _add(self, kind: str, started: Callable[[RTCRtpSendParameters], None]) -> RTCRtpTransceiver:
        transceiver = self.pc.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(_codecs(kind))
        internals.take_over(transceiver.sender, started)
        if kind == "video":
            internals.receive_nothing(transceiver.receiver)
        return transceiver

    def _start_video(self, parameters: RTCRtpSendParameters) -> None:
        """DTLS is up, and the viewer wants video: it gets everything from now on."""
        if self.is_closed:
            return
        context = self.context
        self.ice.hear()
        self._sender = ViewerSender(
            self.viewer,
            self._transport,
            context.packetizer,
            context.capture_clock,
            self.is_listening,
            self._broke,
        )
        wants_rtx = any(codec.payloadType == context.rtx.payload_type for codec in parameters.codecs)
        kind = _kind(parameters, self._sender.tag)
        self._sender.start_video(kind, str(parameters.rtcp.cname), context.rtx if wants_rtx else None)
        context.delivery.subscribe(self.viewer, self._sender)
        self._listener.peer_connected()

    def _start_audio(self, parameters: RTCRtpSendParameters) -> None:
        if self._sender is not None:
            self._sender.start_audio(_kind(parameters, self._sender.tag), str(parameters.rtcp.cname))

    def _rtcp_received(self, data: bytes) -> DropReason | None:
        """An SRTCP datagram straight from the port; why it was not taken."""
        compound = internals.unprotect_rtcp(self._transport, data)
        if compound is None:
            return DropReason.UNAUTHENTICATED
        self.ice.hear()
        now = self.context.clock.monotonic()
        if not self._reports.take(len(data), now):
            return DropReason.FLOOD
        for packet in parse_rtcp(compound):
            self._take(packet, now)
        return None

    def _take(self, packet: AnyRtcpPacket, now: float) -> None:
        """One packet of the viewer's: keyframe request, lost packets, or how it fares."""
        if asks_for_keyframe(packet, self._feedback.ssrc):
            self.request_keyframe()
        lost = lost_packets(packet, self._feedback.ssrc)
        if lost and self._sender is not None:
            self._feedback.nacks += 1
            if not self._sender.retransmit(lost, now):
                self.context.delivery.request_keyframe(self.viewer)
        before = self._feedback.remb
        video = self._sender.video if self._sender is not None else None
        next_sequence = video.next_sequence if video is not None else 0
        report = self._feedback.take(packet, self.context.capture_clock.ntp(now), next_sequence)
        if report is not None:
            self.context.delivery.report(self.viewer, report)
            if self._sender is not None:
                self._heed(report, self._sender)
        elif before is not None and (remb := self._feedback.remb or 0) < before:
            self.context.delivery.bandwidth_dropped(self.viewer, remb)

    def _heed(self, report: ReceiverReport, sender: ViewerSender) -> None:
        if report.loss > LOSSY:
            sender.allow_playout_delay()
        if self._feedback.round_trip is not None:
            sender.budget.round_trip = self._feedback.round_trip

    def _state_changed(self) -> None:
        if self.pc.connectionState in ("failed", "closed"):
            self._broke()

    def _broke(self) -> None:
        """Nothing reaches the viewer over this connection any more."""
        if not self.is_closed:
            self.is_closed = True
            self._stop_sending()
            self._listener.peer_lost()

    def _stop_sending(self) -> None:
        self._when_closed(self)
        sender, self._sender = self._sender, None
        self.context.delivery.unsubscribe(self.viewer, sender)
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
    return PacketFormat(tag, numbers.get(MID, 0), numbers.get(ABS_SEND_TIME, 0), numbers.get(PLAYOUT_DELAY, 0))


def peer_stats(
    sender: ViewerSender, queue: QueueStats, feedback: Feedback, *, keyframe_requests: int, dropped: int
) -> PeerStats:
    """The figures of a connected peer; `dropped` counts datagrams of strangers."""
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
        backlog=queue.backlog,
        loss=feedback.loss,
        jitter=feedback.jitter,
        round_trip=feedback.round_trip,
        remb=feedback.remb,
        datagrams_dropped=dropped,
    )
