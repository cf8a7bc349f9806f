"""What one viewer's RTCP says about how it fares."""

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
from broadcaster.model.stats import ReceiverReport

_SMOOTHING = 0.15
"""Weight of a new round trip, as aiortc and TCP (RFC 6298 §2) have it, nearly."""


@dataclass(slots=True)
class Feedback:
    """The latest figures of one viewer; seconds, bits a second, shares from 0 to 1.

    `ssrc` is our video stream's: reports about others are of no interest.
    """

    ssrc: int
    loss: float = 0.0
    lost: int = 0
    jitter: float = 0.0
    round_trip: float | None = None
    remb: int | None = None
    nacks: int = 0

    def take(self, packet: AnyRtcpPacket, ntp: int, next_sequence: int) -> ReceiverReport | None:
        """Take a packet that came at the 64-bit NTP time `ntp`; gives a report when it had one about our video.

        `next_sequence` is the number that our next video packet will have.
        """
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._take_remb(packet)
        elif isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for block in packet.reports:
                if block.ssrc == self.ssrc:
                    self._take_report(block, ntp)
                    in_flight = _in_flight(next_sequence, block.highest_sequence)
                    return ReceiverReport(self.loss, self.lost, self.remb, in_flight, self.round_trip)
        return None

    def _take_remb(self, packet: RtcpPsfbPacket) -> None:
        with suppress(ValueError, struct.error):  # cut short, or of another application
            self.remb, _ = unpack_remb_fci(packet.fci)

    def _take_report(self, block: RtcpReceiverInfo, ntp: int) -> None:
        """A report block (RFC 3550 §6.4.1); the round trip is in units of 1/65536 s."""
        self.loss, self.lost = block.fraction_lost / 256, block.packets_lost
        self.jitter = block.jitter / VIDEO_RATE
        if block.lsr:
            trip = ((ntp >> 16) - block.lsr - block.dlsr & 0xFFFFFFFF) / 65536
            if trip < _LONGEST_ROUND_TRIP:
                old = self.round_trip
                self.round_trip = trip if old is None else old + _SMOOTHING * (trip - old)


def _in_flight(next_sequence: int, highest: int) -> int:
    """How many packets were sent after `highest`, the highest that has arrived; 0 if that was never sent.

    Numbers count modulo 2^16 (RFC 3550 §6.4.1).
    """
    after = next_sequence - 1 - highest & 0xFFFF
    return after if after < 1 << 15 else 0


_LONGEST_ROUND_TRIP = 10.0
"""Seconds; beyond, the report is broken, or answers a sender report of a former life."""


def lost_packets(packet: AnyRtcpPacket, ssrc: int) -> Sequence[int]:
    """The 16-bit numbers that a generic NACK (RFC 4585 §6.2.1) for this stream names."""
    if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK and packet.media_ssrc == ssrc:
        lost: Sequence[int] = packet.lost
        return lost
    return ()
