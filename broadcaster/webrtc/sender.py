"""One viewer's way out: numbers and encrypts the shared frames in place, sends them, and repeats what was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import randrange

from aiortc import RTCDtlsTransport

from broadcaster.auth.rate_limits import networks
from broadcaster.media.rtp import PacketFormat, Packetizer, RtpFrame, RtpStream, send_time_element
from broadcaster.media.rtx import RtxBudget, RtxStream, SentFrames, SentPackets, retransmission
from broadcaster.media.timestamps import RtpClock
from broadcaster.webrtc.datagrams import Datagrams
from broadcaster.webrtc.internals import Scratch, Srtp, SrtpError, ice_connection
from broadcaster.webrtc.reports import REPORT_INTERVAL, CaptureClock, SentCounter, goodbye, sender_report

log = logging.getLogger(__name__)

_scratch = Scratch()
"""One for all viewers: they are served one after the other, on the loop's thread."""


MOST_NAMED = 1000
"""Lost packets of one report that are looked for: browsers keep no more in mind (libwebrtc's kMaxNackPackets)."""


TOO_MANY = 50
"""Lost packets beyond the budget that are not worth waiting for: a bad radio loses them a few at a time, and what names
so many at once is a network that was away. A keyframe has fewer."""


def first_sequence() -> int:
    """Where a stream's numbers begin: at random, below 32768.

    A receiver that joins just before the wrap and loses a packet would have the wrong rollover count for ever.
    """
    return randrange(1 << 15)


@dataclass(slots=True)
class Track:
    """One media stream as this viewer gets it; `cname` is the offer's, `next_sequence` the next packet's number."""

    stream: RtpStream
    clock: RtpClock
    kind: PacketFormat
    cname: str
    sent: SentCounter = field(default_factory=SentCounter)
    frames: SentFrames = field(default_factory=lambda: SentFrames(first_sequence()))
    reported_at: float = float("-inf")
    next_sequence: int = 0


class ViewerSender:
    """Sends video and audio frames over a connected DTLS transport (`ports.MediaSender`).

    `is_listening` tells whether the viewer was heard lately, `broke` ends its connection.
    Sequence numbers stay contiguous over skipped pictures, and none is ever used for two different packets.
    """

    def __init__(
        self,
        viewer: str,
        transport: RTCDtlsTransport,
        packetizer: Packetizer,
        capture_clock: CaptureClock,
        is_listening: Callable[[float], bool],
        broke: Callable[[], None],
    ) -> None:
        self.is_listening = is_listening
        self.broke = broke
        self.datagrams = Datagrams(ice_connection(transport))
        self.budget = RtxBudget()
        self.video: Track | None = None
        self.audio: Track | None = None
        self._viewer = viewer
        self._srtp = Srtp(transport)
        self._packetizer = packetizer
        self._capture_clock = capture_clock
        self._rtx: RtxStream | None = None
        self._sent_packets: SentPackets | None = None
        self._rtx_sequence = first_sequence()

    @property
    def tag(self) -> int:
        """Bytes that SRTP adds to each packet."""
        return self._srtp.tag

    @property
    def network(self) -> str:
        """Where the viewer is: its IPv4 address or IPv6 network; empty while there is no way to it."""
        return networks(self.datagrams.remote_address)[0]

    def start_video(self, kind: PacketFormat, cname: str, rtx: RtxStream | None) -> None:
        """The viewer takes video, in packets of that kind, and lost ones on the RTX stream, or again as they were."""
        self.video = Track(self._packetizer.video, self._packetizer.video_clock, kind, cname)
        self._rtx = rtx
        self._sent_packets = SentPackets() if rtx is None else None

    def start_audio(self, kind: PacketFormat, cname: str) -> None:
        """The viewer takes audio, in packets of that kind."""
        self.audio = Track(self._packetizer.audio, self._packetizer.audio_clock, kind, cname)

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        """Send packets of a picture; returns how many were taken, 0 while the socket is full."""
        if self.video is None or self.datagrams.is_full():
            return 0
        self._send(self.video, frame, first, end, now)
        return end - first

    def send_audio(self, frame: RtpFrame) -> None:
        """Send 20 ms of sound, or leave them out while the socket is full."""
        if self.audio is not None and not self.datagrams.is_full():
            self._send(self.audio, frame, 0, len(frame), frame.send_time)

    def retransmit(self, lost: Sequence[int], now: float) -> bool:
        """Repeat the video packets with these 16-bit numbers, as far as they are kept and the budget lasts.

        False when so many are left that a keyframe mends it sooner.
        """
        track = self.video
        if track is None or self.datagrams.is_full():
            return True
        for place, number in enumerate(lost[:MOST_NAMED]):
            if self.budget.is_spent:
                left = len(lost) - place
                self.budget.refused += left
                return left < TOO_MANY
            if self._rtx is None:
                self._repeat_same(number, now)
            else:
                self._repeat(self._rtx, track, number, now)
        return True

    def allow_playout_delay(self) -> None:
        """The viewer's network loses packets: from now on it may hold pictures back until they are repeated."""
        if self.video is not None and not self.video.kind.patient:
            kind = self.video.kind
            self.video.kind = PacketFormat(kind.tag, kind.mid, kind.abs_send_time, kind.playout_delay, patient=True)

    def say_goodbye(self) -> None:
        """Tell the viewer that nothing more comes."""
        for track in (self.video, self.audio):
            if track is not None and self.datagrams.route:
                self._send_rtcp(goodbye(track.stream.ssrc, track.cname))

    def close(self) -> None:
        """Let go of the socket; idempotent."""
        self.video = self.audio = None
        self.datagrams.close()

    def _repeat(self, rtx: RtxStream, track: Track, number: int, now: float) -> None:
        """Repeat the packet with this number on the RTX stream."""
        found = track.frames.find(number)
        if found is None:
            return
        frame, index = found
        for _ in range(self.budget.take(number, len(frame.payloads[index]), now)):
            packet = retransmission(rtx, frame, track.kind, index, number, self._rtx_sequence, now)
            self._rtx_sequence += 1
            self._send_protected(self._srtp.protect, packet)

    def _repeat_same(self, number: int, now: float) -> None:
        """Send the packet with this number again, once: a receiver drops copies of what it has."""
        packet = self._sent_packets.find(number) if self._sent_packets is not None else None
        if packet is not None and self.budget.take(number, len(packet), now, most=1):
            self.datagrams.send(packet)

    def _send(self, track: Track, frame: RtpFrame, first: int, end: int, now: float) -> None:
        if first == 0:
            track.frames.begin(frame)
        burst = frame.image(track.kind).burst(first, end)
        number = track.kind.abs_send_time
        send_time = send_time_element(number, now) if number and now != frame.send_time else None
        sequence = track.frames.next - len(frame.payloads) + first
        try:
            _scratch.protect(self._srtp, burst, sequence, send_time)
        except SrtpError as error:
            self.datagrams.errors += end - first
            log.warning("%s: %s", self._viewer, error)
            return
        errors = self.datagrams.errors
        self.datagrams.send_batches(_scratch.view, burst.batches)
        if track is self.video and self._sent_packets is not None:
            self._sent_packets.add(sequence, bytes(_scratch.view[: len(burst.data)]), burst.offsets, now)
        taken = end - first - (self.datagrams.errors - errors)
        octets = burst.octets * taken // (end - first)
        track.next_sequence = sequence + end - first
        track.sent.packets += taken
        track.sent.octets += octets
        self.budget.sent(octets)
        self._report(track, now)

    def _report(self, track: Track, now: float) -> None:
        """A sender report right after the first packet, and about every second from then on."""
        if now - track.reported_at >= REPORT_INTERVAL:
            track.reported_at = now
            self._send_rtcp(
                sender_report(track.stream.ssrc, track.cname, track.clock, self._capture_clock, now, track.sent)
            )

    def _send_rtcp(self, packet: bytes) -> None:
        self._send_protected(self._srtp.protect_rtcp, packet)

    def _send_protected(self, protect: Callable[[bytes], bytes], packet: bytes) -> None:
        try:
            self.datagrams.send(protect(packet))
        except SrtpError as error:
            self.datagrams.errors += 1
            log.warning("%s: %s", self._viewer, error)
