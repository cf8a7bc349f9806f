"""RTP to one viewer: numbers and encrypts the shared frames in place, sends them, and retransmits lost packets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import randrange

from aiortc import RTCDtlsTransport

from broadcaster.auth.rate_limits import networks
from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import Packetizer, RtpFrame, RtpStream, send_time_element
from broadcaster.media.rtx import COPIES, RtxBudget, RtxStream, SentFrames, SentPackets, retransmission
from broadcaster.media.timestamps import RtpClock
from broadcaster.model.offers import NegotiatedMedia
from broadcaster.model.stream import Quality
from broadcaster.webrtc.datagrams import DatagramSender
from broadcaster.webrtc.internals import Srtp, SrtpError, ice_connection
from broadcaster.webrtc.packet_buffer import PacketBuffer
from broadcaster.webrtc.reports import REPORT_INTERVAL, CaptureClock, SentCounter, bye_packet, sender_report

log = logging.getLogger(__name__)

_buffer = PacketBuffer()
"""Shared by all viewers: they are served one after another, on the event loop's thread."""

MAX_NACKED = 1000
"""Lost packets of one NACK that are looked up: browsers remember no more (libwebrtc's kMaxNackPackets)."""

_KEYFRAME_THRESHOLD = 50
"""Lost packets beyond the budget from which a keyframe is requested. Poor radio reception loses a few at a time; an
interruption loses this many, and a keyframe has fewer packets."""


def first_sequence() -> int:
    """Return a random initial sequence number below 32768.

    A receiver that joins just before the number wraps and loses a packet would derive a wrong rollover counter, and
    could decrypt nothing (RFC 3711 §3.3.1).
    """
    return randrange(1 << 15)


@dataclass(slots=True)
class Track:
    """One media stream to this viewer: `cname` from the offer, and `next_sequence`, the next packet's number.

    `frames` numbers the packets; if it `keeps_frames`, it remembers the frames for retransmission on an RTX stream.
    """

    stream: RtpStream
    clock: RtpClock
    packet_format: PacketFormat
    cname: str
    sent: SentCounter = field(default_factory=SentCounter)
    keeps_frames: bool = False
    frames: SentFrames = field(default_factory=lambda: SentFrames(first_sequence()))
    reported_at: float = float("-inf")
    next_sequence: int = 0


class ViewerSender:
    """Sends video and audio frames over a connected DTLS transport (`ports.MediaSender`).

    `is_listening` tells whether a datagram came from the viewer recently; `sending_failed` ends its connection.
    Sequence numbers stay contiguous when frames are skipped, and none is used for two different packets.
    """

    def __init__(
        self,
        viewer: str,
        transport: RTCDtlsTransport,
        packetizer: Packetizer,
        capture_clock: CaptureClock,
        is_listening: Callable[[float], bool],
        sending_failed: Callable[[], None],
        quality_chosen: Callable[[Quality], None],
        *,
        is_viewer: bool = True,
    ) -> None:
        """`is_viewer` is false for a push target: media servers want a single copy of each retransmitted packet."""
        self.is_viewer = is_viewer
        self.is_listening = is_listening
        self.sending_failed = sending_failed
        self.quality_chosen = quality_chosen
        self.datagrams = DatagramSender(ice_connection(transport))
        self.budget = RtxBudget()
        self.video: Track | None = None
        self.audio: Track | None = None
        self._viewer = viewer
        self._srtp = Srtp(transport)
        self.packet_format = PacketFormat.of(self._srtp.tag, 0)
        self._packetizer = packetizer
        self._capture_clock = capture_clock
        self._rtx: RtxStream | None = None
        self._sent_packets: SentPackets | None = None
        self._rtx_sequence = first_sequence()

    @property
    def network(self) -> str:
        """The viewer's IPv4 address or IPv6 network; empty without a nominated pair."""
        return networks(self.datagrams.remote_address)[0]

    def start_video(self, media: NegotiatedMedia, cname: str, rtx: RtxStream | None) -> None:
        """Start sending video; lost packets are retransmitted on the RTX stream, or unchanged if there is none."""
        packet_format = self.packet_format = self._format(media)
        packetizer, keeps = self._packetizer, rtx is not None
        self.video = Track(packetizer.video, packetizer.video_clock, packet_format, cname, keeps_frames=keeps)
        self._rtx = rtx
        self._sent_packets = SentPackets() if rtx is None else None

    def start_audio(self, media: NegotiatedMedia, cname: str) -> None:
        """Start sending audio."""
        packet_format = self._format(media)
        if self.video is None:
            self.packet_format = packet_format
        self.audio = Track(self._packetizer.audio, self._packetizer.audio_clock, packet_format, cname)

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        """Send packets of a video frame; return how many were accepted, 0 while the socket is full.

        Without video, pictures are accepted and discarded.
        """
        if self.video is None:
            return end - first
        if not self.datagrams.flush():
            return 0
        self._send(self.video, frame, first, end, now)
        return end - first

    def send_audio(self, frame: RtpFrame) -> None:
        """Send 20 ms of audio, or drop them while the socket is full."""
        if self.audio is not None and self.datagrams.flush():
            self._send(self.audio, frame, 0, len(frame), frame.send_time)

    def retransmit(self, lost: Sequence[int], now: float) -> bool:
        """Retransmit the video packets with these 16-bit numbers, if they are available and the budget allows.

        Return False if so many are left that a keyframe repairs the video sooner.
        """
        track = self.video
        if track is None or not self.datagrams.flush():
            return True
        for index, sequence in enumerate(lost[:MAX_NACKED]):
            if self.budget.is_spent:
                left = len(lost) - index
                self.budget.refused += left
                return left < _KEYFRAME_THRESHOLD
            if self._rtx is None:
                self._resend(sequence, now)
            else:
                self._send_rtx(self._rtx, track, sequence, now)
        return True

    def send_padding(self, packets: int, now: float) -> int:
        """Send the latest video packets again, which the viewer's decoder ignores; return how many were sent.

        As RTX they count for the viewer's bandwidth estimate. Without RTX the viewer's SRTP drops them as replayed.
        """
        track = self.video
        if track is None or not packets or not self.datagrams.flush():
            return 0
        latest = track.next_sequence - 1
        for number in range(latest, latest - packets, -1):
            found = track.frames.find(number) if self._rtx is not None else None
            if self._rtx is not None and found is not None:
                self._send_rtx_packet(self._rtx, track, *found, number & 0xFFFF, now)
            elif self._sent_packets is not None and (packet := self._sent_packets.find(number)) is not None:
                self._send_protected(self._srtp.protect, packet)
        return packets

    def allow_playout_delay(self) -> bool:
        """Allow the browser to delay frames until lost packets are retransmitted, because its network loses some.

        Return whether that has changed the packet format.
        """
        track = self.video
        if track is None or track.packet_format.layout.delay_allowed:
            return False
        self.packet_format = track.packet_format = track.packet_format.with_delay_allowed()
        return True

    def send_bye(self) -> None:
        """Tell the viewer that the streams have ended."""
        for track in (self.video, self.audio):
            if track is not None and self.datagrams.route:
                self._send_rtcp(bye_packet(track.stream.ssrc, track.cname))

    def close(self) -> None:
        """Stop sending and close the socket; idempotent."""
        self.video = self.audio = None
        self.datagrams.close()

    def _format(self, media: NegotiatedMedia) -> PacketFormat:
        return PacketFormat.of(
            self._srtp.tag,
            media.payload_type,
            mid=media.mid,
            abs_send_time=media.abs_send_time,
            playout_delay=media.playout_delay,
        )

    def _send_rtx(self, rtx: RtxStream, track: Track, lost: int, now: float) -> None:
        """Send the packet with the number `lost` on the RTX stream."""
        found = track.frames.find(lost)
        if found is None:
            return
        frame, index = found
        copies = self.budget.take(lost, len(frame.payloads[index]), now, COPIES if self.is_viewer else 1)
        for _ in range(copies):
            self._send_rtx_packet(rtx, track, frame, index, lost, now)

    def _send_rtx_packet(
        self, rtx: RtxStream, track: Track, frame: RtpFrame, index: int, number: int, now: float
    ) -> None:
        packet = retransmission(rtx, frame, track.packet_format, index, number, self._rtx_sequence, now)
        self._rtx_sequence += 1
        self._send_protected(self._srtp.protect, packet)

    def _resend(self, lost: int, now: float) -> None:
        """Send the packet with the number `lost` again unchanged: one copy, because receivers drop duplicates."""
        packet = self._sent_packets.find(lost) if self._sent_packets is not None else None
        if packet is not None and self.budget.take(lost, len(packet), now, max_copies=1):
            self._send_protected(self._srtp.protect, packet)

    def _send(self, track: Track, frame: RtpFrame, first: int, end: int, now: float) -> None:
        if first == 0:
            if track.keeps_frames:
                track.frames.begin(frame)
            else:
                track.frames.next += len(frame.payloads)
        packet_format = track.packet_format
        burst = frame.serialize(packet_format).burst(first, end)
        extension = packet_format.abs_send_time
        send_time = send_time_element(extension, now) if extension and now != frame.send_time else None
        sequence = track.frames.next - len(frame.payloads) + first
        try:
            _buffer.protect(self._srtp, burst, packet_format, sequence, send_time)
        except SrtpError as error:
            self.datagrams.errors += end - first
            log.warning("%s: %s", self._viewer, error)
            return
        errors = self.datagrams.errors
        self.datagrams.send_batches(_buffer.view, burst.batches)
        if track is self.video and self._sent_packets is not None:
            self._sent_packets.add(sequence, burst, packet_format, send_time, now)
        accepted = end - first - (self.datagrams.errors - errors)
        octets = burst.octets * accepted // (end - first)
        track.next_sequence = sequence + end - first
        track.sent.packets += accepted
        track.sent.octets += octets
        self.budget.sent(octets)
        if now - track.reported_at >= REPORT_INTERVAL:
            self._report(track, now)

    def _report(self, track: Track, now: float) -> None:
        """Send a sender report: directly after the first packet, then about every second."""
        track.reported_at = now
        report = sender_report(track.stream.ssrc, track.cname, track.clock, self._capture_clock, now, track.sent)
        self._send_rtcp(report)

    def _send_rtcp(self, packet: bytes) -> None:
        self._send_protected(self._srtp.protect_rtcp, packet)

    def _send_protected(self, protect: Callable[[bytes], bytes], packet: bytes) -> None:
        try:
            self.datagrams.send(protect(packet))
        except SrtpError as error:
            self.datagrams.errors += 1
            log.warning("%s: %s", self._viewer, error)
