"""A light viewer that says that it fares well, as browsers do: who says nothing is not heard."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, RtpPacket, pack_remb_fci

from tests.rigs.light import LightViewer

PLENTY = 10_000_000
"""Bits a second that its network carries."""


class HealthyViewer(LightViewer):
    """Says once a second that nothing is lost, and that its network carries plenty."""

    _saying: asyncio.Task[None] | None = None

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        if transceiver.kind == "video":
            self._say_no_more()

    def _count(self, packet: RtpPacket) -> None:
        super()._count(packet)
        if self._saying is None:
            self._saying = asyncio.create_task(self._say(packet.ssrc))

    async def _say(self, ssrc: int) -> None:
        block = RtcpReceiverInfo(ssrc, fraction_lost=0, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0)
        plenty = RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(PLENTY, [ssrc]))
        with contextlib.suppress(ConnectionError):  # it ends with the connection
            while True:
                await self.send_rtcp(bytes(RtcpRrPacket(ssrc=1, reports=[block])) + bytes(plenty))
                await asyncio.sleep(1)

    async def leave(self) -> None:
        self._say_no_more()
        await super().leave()

    def _say_no_more(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None
