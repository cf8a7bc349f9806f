"""A page-like viewer whose feedback is that of a browser: loss, round trip, bandwidth estimate, NACK and PLI.

`python -m tests.soak.browser_like PORT [HOST]` does what `tests.soak.page_like` does, but counts pictures that a
browser would show, instead of those whose last packet arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from typing import Any

from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
    pack_remb_fci,
    unwrap_rtx,
)

from broadcaster.media.h264 import NalType, nal_type
from broadcaster.media.timestamps import VIDEO_RATE
from tests.soak.page_like import PageLikeViewer, main
from tests.soak.receiver import PictureReceiver

VIDEO, RTX = 101, 102
"""Payload types of our offers."""


class BrowserLikeViewer(PageLikeViewer):
    """Reports once per second, and at once when packets are missing or the bandwidth estimate changes."""

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        if transceiver.kind != "video":
            return
        self._receiver = PictureReceiver()
        self._statistics = StreamStatistics(VIDEO_RATE)
        self._estimator = RemoteBitrateEstimator()
        self._sender_report = 0, 0.0
        self.ssrc = 0
        transceiver.receiver._handle_rtp_packet = self._receive
        transceiver.receiver._handle_rtcp_packet = self._receive_rtcp

    async def report(self) -> None:
        if self.ssrc:
            await self._send_feedback()

    async def _receive(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        now = time.monotonic()
        feedback = self._estimate(packet, arrival_time_ms)
        if packet.payload_type == VIDEO:
            self.ssrc, self._last_sequence = packet.ssrc, packet.sequence_number
            self._statistics.add(packet)
        elif packet.payload_type == RTX and self.ssrc and len(packet.payload) > 2:
            packet = unwrap_rtx(packet, VIDEO, self.ssrc)
        else:
            return
        self._show(packet, now)
        if lost := self._receiver.nacks(now):
            feedback += bytes(RtcpRtpfbPacket(RTCP_RTPFB_NACK, ssrc=1, media_ssrc=self.ssrc, lost=lost))
        if self._receiver.needs_keyframe(now):
            feedback += bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=self.ssrc))
        if feedback:
            await self._send_feedback(feedback)

    def _show(self, packet: RtpPacket, now: float) -> None:
        shown = self._receiver.add(
            packet.sequence_number,
            begins_keyframe=nal_type(packet.payload) in (NalType.SPS, NalType.STAP_A),
            ends_picture=bool(packet.marker),
            now=now,
        )
        if shown:
            self._waiting_since = now
            self._seconds[math.floor(now)] += shown

    def _estimate(self, packet: RtpPacket, arrival_time_ms: int) -> bytes:
        """Feed the bandwidth estimator; return a REMB if one is due."""
        sent_at = packet.extensions.abs_send_time
        if sent_at is None or not self.ssrc:
            return b""
        size = len(packet.payload) + packet.padding_size
        remb = self._estimator.add(arrival_time_ms, sent_at, size, packet.ssrc)
        if remb is None:
            return b""
        return bytes(RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(*remb)))

    async def _receive_rtcp(self, packet: object) -> None:
        if isinstance(packet, RtcpSrPacket) and packet.ssrc == self.ssrc:
            self._sender_report = packet.sender_info.ntp_timestamp >> 16 & 0xFFFFFFFF, time.monotonic()

    async def _send_feedback(self, more: bytes = b"") -> None:
        """Send a receiver report (RFC 3550 §6.4.2), and `more` in the same datagram."""
        statistics, (lsr, received_at) = self._statistics, self._sender_report
        block = RtcpReceiverInfo(
            self.ssrc,
            fraction_lost=statistics.fraction_lost,
            packets_lost=statistics.packets_lost,
            highest_sequence=(statistics.cycles + (statistics.max_seq or 0)) & 0xFFFFFFFF,
            jitter=statistics.jitter,
            lsr=lsr,
            dlsr=round((time.monotonic() - received_at) * 65536) if lsr else 0,
        )
        with contextlib.suppress(ConnectionError, AssertionError):  # not connected at the moment
            await self.send_rtcp(bytes(RtcpRrPacket(ssrc=1, reports=[block])) + more)


if __name__ == "__main__":
    asyncio.run(main(BrowserLikeViewer, sys.argv[1:]))
