"""A viewer behind a link that loses packets receives retransmissions."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.rtp import RtpPacket

from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer
from tests.rigs.namespaces import unavailable
from tests.rigs.shaper import NEAR, Link, shaped

SMALL = {"video__width": 320, "video__height": 180, "video__fps": 15, "video__bitrate": 500_000}
VIDEO, RTX = 101, 102
"""Payload types of the offer."""


class NackingViewer(LightViewer):
    """Sends NACKs, as aiortc does, and records the numbers of received and of retransmitted video packets."""

    def __init__(self, port: int, host: str) -> None:
        super().__init__(port, host)
        self.received: set[int] = set()
        self.retransmitted: set[int] = set()

    def _count_packets(self, transceiver) -> None:
        receive = transceiver.receiver._handle_rtp_packet

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            if packet.payload_type == VIDEO:
                self._count(packet)
                self.received.add(packet.sequence_number)
            elif packet.payload_type == RTX:
                self.retransmitted.add(int.from_bytes(packet.payload[:2], "big"))
            await receive(packet, arrival_time_ms)

        transceiver.receiver._handle_rtp_packet = handle


async def test_lost_packets_are_retransmitted_without_loss_for_others():
    if reason := unavailable():
        pytest.skip(reason)
    async with shaped() as network:

        async def watch(port: int) -> NackingViewer:
            async with NackingViewer(port, NEAR) as viewer:
                await viewer.keyframe()
                network.set(Link(loss=0.05))
                await asyncio.sleep(4)
                network.set(Link())
                await asyncio.sleep(1)
            return viewer

        with network.near.inside():
            async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as other:
                await other.keyframe()
                viewer = await network.far.run(lambda: watch(daemon.port))
                lost = set(range(min(viewer.received), max(viewer.received))) - viewer.received
                assert len(lost) > 2
                assert len(lost - viewer.retransmitted) <= 1
                assert other.gaps == 0
