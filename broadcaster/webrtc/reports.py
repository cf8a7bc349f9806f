"""RTCP: what we tell viewers about timing, and what they tell us."""

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
"""Seconds between sender reports: lip sync settles with the first two (RFC 3550 §6.2 allows less than 5 s here)."""

_SDES_CNAME = 1


@dataclass(frozen=True, slots=True)
class CaptureClock:
    """Wall-clock time as it was measured once against the monotonic clock: it never jumps.

    Sender reports state capture times of this clock, so lip sync survives every change of the wall clock.
    """

    unix_minus_monotonic: float

    def ntp(self, captured: float) -> int:
        """The 64-bit NTP timestamp of a monotonic moment."""
        return ntp_time(captured + self.unix_minus_monotonic)


@dataclass(slots=True)
class SentCounter:
    """What a sender report states of the past: packets, and bytes of payload (RFC 3550 §6.4.1)."""

    packets: int = 0
    octets: int = 0


def sender_report(
    ssrc: int, cname: str, rtp_clock: RtpClock, capture_clock: CaptureClock, now: float, sent: SentCounter
) -> bytes:
    """A compound packet of SR and SDES: the same moment `now` in NTP and in RTP time."""
    info = RtcpSenderInfo(
        ntp_timestamp=capture_clock.ntp(now),
        rtp_timestamp=rtp_clock.at(now),
        packet_count=sent.packets & 0xFFFFFFFF,
        octet_count=sent.octets & 0xFFFFFFFF,
    )
    source = RtcpSourceInfo(ssrc=ssrc, items=[(_SDES_CNAME, cname.encode())])
    return bytes(RtcpSrPacket(ssrc=ssrc, sender_info=info)) + bytes(RtcpSdesPacket(chunks=[source]))


def parse_rtcp(data: bytes) -> Iterator[AnyRtcpPacket]:
    """The packets of an authenticated compound packet; a malformed one has none."""
    try:
        yield from RtcpPacket.parse(data)
    except (ValueError, IndexError, struct.error) as error:
        log.debug("malformed RTCP of %d bytes: %s", len(data), error)


def goodbye(ssrc: int, cname: str) -> bytes:
    """A compound packet that ends a stream (RFC 3550 §6.6)."""
    source = RtcpSourceInfo(ssrc=ssrc, items=[(_SDES_CNAME, cname.encode())])
    empty = bytes(RtcpRrPacket(ssrc=ssrc, reports=[]))
    return empty + bytes(RtcpSdesPacket(chunks=[source])) + bytes(RtcpByePacket(sources=[ssrc]))


def asks_for_keyframe(packet: AnyRtcpPacket, ssrc: int) -> bool:
    """Whether it is a PLI (RFC 4585 §6.3.1) or a FIR (RFC 5104 §4.3.1) for the stream with this SSRC."""
    if not isinstance(packet, RtcpPsfbPacket):
        return False
    if packet.fmt == RTCP_PSFB_FIR:
        return any(entry.startswith(ssrc.to_bytes(4, "big")) for entry in _fir_entries(packet.fci))
    return bool(packet.fmt == RTCP_PSFB_PLI and packet.media_ssrc == ssrc)


def _fir_entries(fci: bytes) -> Iterator[bytes]:
    """The entries of a FIR: SSRC, sequence number, reserved bits. Its own media SSRC is unused (RFC 5104 §4.3.1.1)."""
    return (fci[start : start + 8] for start in range(0, len(fci), 8))
