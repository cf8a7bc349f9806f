"""Reception statistics of one viewer, from its RTCP."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

from broadcaster.media.timestamps import VIDEO_RATE
from broadcaster.model.stats import PeerStats, QueueStats, ReceiverReport
from broadcaster.webrtc.sender import ViewerSender

_SMOOTHING = 0.15
"""Weight of a new round-trip time in the average, as in aiortc; TCP uses 1/8 (RFC 6298 §2)."""

_MAX_ROUND_TRIP = 10.0
"""Seconds; a longer one is an error, or refers to a sender report of an earlier connection."""


@dataclass(slots=True)
class Feedback:
    """The latest statistics of one viewer: times in seconds, `remb` in bits per second, `loss` as a fraction.

    `ssrc` is that of our video stream; reports about others are ignored. `nacks` counts NACK packets.
    """

    ssrc: int
    loss: float = 0.0
    lost: int = 0
    jitter: float = 0.0
    round_trip: float | None = None
    remb: int | None = None
    nacks: int = 0

    def update(self, packet: AnyRtcpPacket, ntp: int, next_sequence: int) -> ReceiverReport | None:
        """Take a packet that arrived at the 64-bit NTP time `ntp`; return a report if it has one about our video.

        `next_sequence` is the number of our next video packet.
        """
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._update_remb(packet)
        elif isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for block in packet.reports:
                if block.ssrc == self.ssrc:
                    self._update_reception(block, ntp)
                    in_flight = _in_flight(next_sequence, block.highest_sequence)
                    return ReceiverReport(self.loss, self.lost, self.remb, in_flight, self.round_trip)
        return None

    def _update_remb(self, packet: RtcpPsfbPacket) -> None:
        with suppress(ValueError, struct.error):  # truncated, or another application's format
            self.remb, _ = unpack_remb_fci(packet.fci)

    def _update_reception(self, block: RtcpReceiverInfo, ntp: int) -> None:
        """Take a report block (RFC 3550 §6.4.1), whose times are in units of 1/65536 s."""
        self.loss, self.lost = block.fraction_lost / 256, block.packets_lost
        self.jitter = block.jitter / VIDEO_RATE
        if block.lsr:
            measured = ((ntp >> 16) - block.lsr - block.dlsr & 0xFFFFFFFF) / 65536
            if measured < _MAX_ROUND_TRIP:
                old = self.round_trip
                self.round_trip = measured if old is None else old + _SMOOTHING * (measured - old)


def _in_flight(next_sequence: int, highest: int) -> int:
    """Return how many packets were sent after `highest`, the highest that has arrived; 0 if that was never sent.

    Numbers are modulo 2^16 (RFC 3550 §6.4.1).
    """
    after = next_sequence - 1 - highest & 0xFFFF
    return after if after < 1 << 15 else 0


def nacked_packets(packet: AnyRtcpPacket, ssrc: int) -> Sequence[int]:
    """Return the 16-bit sequence numbers in a generic NACK (RFC 4585 §6.2.1) for this stream; none in other packets."""
    if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK and packet.media_ssrc == ssrc:
        lost: Sequence[int] = packet.lost
        return lost
    return ()


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
