"""RTCP packets: sender reports and BYE for viewers, and parsing of what viewers send."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

from broadcaster.media.timestamps import RtpClock, ntp_time

log = logging.getLogger(__name__)

REPORT_INTERVAL = 1.0
"""Seconds between sender reports, a reduced minimum (RFC 3550 §6.2): browsers need two for lip sync."""

_SDES_CNAME = 1


@dataclass(frozen=True, slots=True)
class CaptureClock:
    """Wall-clock time, measured once relative to the monotonic clock: it never jumps.

    Sender reports carry times of this clock, so audio and video stay synchronized when the wall clock is changed.
    """

    unix_minus_monotonic: float

    def ntp(self, captured: float) -> int:
        """Return the 64-bit NTP timestamp of a monotonic time."""
        return ntp_time(captured + self.unix_minus_monotonic)


@dataclass(slots=True)
class SentCounter:
    """Packets and payload bytes sent so far, for sender reports (RFC 3550 §6.4.1)."""

    packets: int = 0
    octets: int = 0


def sender_report(
    ssrc: int, cname: str, rtp_clock: RtpClock, capture_clock: CaptureClock, now: float, sent: SentCounter
) -> bytes:
    """Return a compound packet of SR and SDES, with the monotonic time `now` as NTP and as RTP timestamp."""
    info = RtcpSenderInfo(
        ntp_timestamp=capture_clock.ntp(now),
        rtp_timestamp=rtp_clock.at(now),
        packet_count=sent.packets & 0xFFFFFFFF,
        octet_count=sent.octets & 0xFFFFFFFF,
    )
    source = RtcpSourceInfo(ssrc=ssrc, items=[(_SDES_CNAME, cname.encode())])
    return bytes(RtcpSrPacket(ssrc=ssrc, sender_info=info)) + bytes(RtcpSdesPacket(chunks=[source]))


def parse_rtcp(data: bytes) -> Iterator[AnyRtcpPacket]:
    """Yield the packets of an authenticated compound packet; none if any of them is malformed."""
    try:
        yield from RtcpPacket.parse(data)
    except (ValueError, IndexError, struct.error) as error:
        log.debug("malformed RTCP of %d bytes: %s", len(data), error)


def bye_packet(ssrc: int, cname: str) -> bytes:
    """Return a compound packet with the BYE of a stream (RFC 3550 §6.6)."""
    source = RtcpSourceInfo(ssrc=ssrc, items=[(_SDES_CNAME, cname.encode())])
    empty = bytes(RtcpRrPacket(ssrc=ssrc, reports=[]))
    return empty + bytes(RtcpSdesPacket(chunks=[source])) + bytes(RtcpByePacket(sources=[ssrc]))


def is_keyframe_request(packet: AnyRtcpPacket, ssrc: int) -> bool:
    """Return whether the packet is a PLI (RFC 4585 §6.3.1) or a FIR (RFC 5104 §4.3.1) for the stream with this SSRC."""
    if not isinstance(packet, RtcpPsfbPacket):
        return False
    if packet.fmt == RTCP_PSFB_FIR:
        return any(entry.startswith(ssrc.to_bytes(4, "big")) for entry in _fir_entries(packet.fci))
    return bool(packet.fmt == RTCP_PSFB_PLI and packet.media_ssrc == ssrc)


def _fir_entries(fci: bytes) -> Iterator[bytes]:
    """Yield the entries of a FIR: SSRC, sequence number, reserved bits (RFC 5104 §4.3.1.1)."""
    return (fci[start : start + 8] for start in range(0, len(fci), 8))
