"""A light viewer that reports good reception, as browsers do; a viewer without reports counts as unresponsive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, RtpPacket, pack_remb_fci

from tests.rigs.light import LightViewer

BANDWIDTH = 10_000_000
"""The bandwidth estimate that the viewer reports, in bit/s."""


class HealthyViewer(LightViewer):
    """Sends a receiver report without loss and a REMB of `BANDWIDTH` every second."""

    _reporting: asyncio.Task[None] | None = None

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        if transceiver.kind == "video":
            self._stop_reporting()

    def _count(self, packet: RtpPacket) -> None:
        super()._count(packet)
        if self._reporting is None:
            self._reporting = asyncio.create_task(self._report(packet.ssrc))

    async def _report(self, ssrc: int) -> None:
        block = RtcpReceiverInfo(ssrc, fraction_lost=0, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0)
        remb = RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(BANDWIDTH, [ssrc]))
        with contextlib.suppress(ConnectionError):  # the connection ends first
            while True:
                await self.send_rtcp(bytes(RtcpRrPacket(ssrc=1, reports=[block])) + bytes(remb))
                await asyncio.sleep(1)

    async def leave(self) -> None:
        self._stop_reporting()
        await super().leave()

    def _stop_reporting(self) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None
