"""The sender with a real aiortc peer: lost packets, NACKs, no offload, RTCP."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable

from aiortc import RTCRtpReceiver
from aiortc.rtp import RTCP_BYE, RTCP_PSFB_PLI, RtcpPsfbPacket, RtpPacket

from broadcaster.model.stats import ReceiverReport
from broadcaster.webrtc.udp_port import DropReason
from tests.edges.webrtc_driver import Camera, inbound, live

DECODE_TIMEOUT = 30
"""Seconds for a frame; generous, because the tests may run on a busy machine."""


def drop_video(theirs, chosen: Callable[[int], bool], ssrc: int) -> list[int]:
    """Drop the first copy of chosen video packets after decryption; return the list of their sequence numbers."""
    transport = theirs.getReceivers()[0].transport
    receive, dropped, count = transport._handle_rtp_data, [], 0

    async def lossy(data: bytes, arrival_time_ms: int) -> None:
        nonlocal count
        if int.from_bytes(data[8:12], "big") == ssrc:
            count += 1
            if chosen(count):
                dropped.append(int.from_bytes(data[2:4], "big"))
                return
        await receive(data, arrival_time_ms)

    transport._handle_rtp_data = lossy
    return dropped


def video_receiver(theirs) -> RTCRtpReceiver:
    return next(receiver for receiver in theirs.getReceivers() if receiver.track.kind == "video")


async def decode(theirs, frames: int) -> None:
    """Wait until the viewer has decoded that many more video frames."""
    track = video_receiver(theirs).track
    for _ in range(frames):
        await asyncio.wait_for(track.recv(), DECODE_TIMEOUT)


async def test_lost_packets_are_retransmitted_without_a_keyframe():
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 5)
        before = driver.hub.full.gate.forced
        dropped = drop_video(theirs, lambda count: count % 20 == 0, driver.packetizer.video.ssrc)
        await decode(theirs, 60)
        assert len(dropped) > 15
        stats = ours.stats()
        assert len(dropped) * 0.8 <= stats.retransmitted <= len(dropped) * 1.5
        assert stats.nacks > 0
        assert driver.hub.full.gate.forced == before
        await theirs.close()
        await ours.close()


def lose_datagrams(theirs, chosen: Callable[[int], bool], ssrc: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Drop the first copy of chosen video packets; return these, and the copies that arrived later, by number."""
    ice = theirs.getReceivers()[0].transport.transport
    receive, lost, resent, count = ice._recv, {}, {}, 0

    async def lossy() -> bytes:
        nonlocal count
        while True:
            data: bytes = await receive()
            if data[0] >> 6 != 2 or int.from_bytes(data[8:12], "big") != ssrc:
                return data
            number = int.from_bytes(data[2:4], "big")
            count += 1
            if number in lost:
                resent[number] = data
            elif chosen(count):
                lost[number] = data
                continue
            return data

    ice._recv = lossy
    return lost, resent


async def test_packets_are_resent_unchanged_without_rtx():
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join(rtx=False)
        await decode(theirs, 5)
        before = driver.hub.full.gate.forced
        lost, resent = lose_datagrams(theirs, lambda count: count % 20 == 0, driver.packetizer.video.ssrc)
        await decode(theirs, 60)
        assert len(lost) > 15
        assert len(resent) > len(lost) * 0.8
        assert all(data == lost[number] for number, data in resent.items())
        assert ours.stats().retransmitted >= len(resent)
        video = ours._sender.video
        assert video.frames.find(video.next_sequence - 1 & 0xFFFF) is None, "frames are kept for RTX only"
        assert driver.hub.full.gate.forced == before
        await theirs.close()
        await ours.close()


async def test_playout_delay_is_allowed_only_after_packet_loss():
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 30)
        before = ours._sender.video.packet_format.layout.delay_allowed
        drop_video(theirs, lambda count: count % 5 == 0, driver.packetizer.video.ssrc)
        async with asyncio.timeout(20):
            while not ours._sender.video.packet_format.layout.delay_allowed:
                await decode(theirs, 1)
        await theirs.close()
        await ours.close()
        assert not before


async def test_nack_flood_is_limited_by_the_budget():
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 5)
        receiver = video_receiver(theirs)
        for _ in range(50):
            first = ours._sender.video.frames.next
            await receiver._send_rtcp_nack(driver.packetizer.video.ssrc, [first - 300 + n for n in range(300)])
            await asyncio.sleep(0.02)
        stats = ours.stats()
        assert stats.nacks >= 50  # aiortc sends more if this machine drops packets
        assert stats.retransmitted < 0.3 * stats.video_packets + 100
        assert ours._sender.budget.refused > 5000
        await theirs.close()
        await ours.close()


async def test_rtcp_flood_is_rate_limited():
    """A thousand NACKs of maximum size at once, each for five thousand packets."""
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 5)
        transport = theirs.getReceivers()[0].transport
        largest = struct.pack("!BBHII", 0x81, 205, 2 + 300, 1, driver.packetizer.video.ssrc)
        largest += b"".join(struct.pack("!HH", number * 17, 0xFFFF) for number in range(300))
        sent = [transport._tx_srtp.protect_rtcp(largest) for _ in range(1000)]
        results = [ours._rtcp_received(data) for data in sent]
        await decode(theirs, 10)
        assert set(results) == {None, DropReason.RATE_LIMITED}
        assert 20 < results.count(None) < 60
        assert ours.stats().retransmitted < 200
        assert ours.is_listening(time.monotonic())
        await theirs.close()
        await ours.close()


async def test_loss_beyond_the_budget_is_repaired_by_a_keyframe():
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 60)
        sender, forced = ours._sender, driver.hub.full.gate.forced
        last = sender.video.frames.next
        while sender.retransmit([last - 1], time.monotonic() + sender.budget.packets) and not sender.budget.is_spent:
            pass
        assert sender.retransmit([last - n for n in range(1, 20)], time.monotonic())
        assert not sender.retransmit([last - n for n in range(1, 200)], time.monotonic())
        receiver = video_receiver(theirs)
        await receiver._send_rtcp_nack(driver.packetizer.video.ssrc, [(last - 200 + n) & 0xFFFF for n in range(200)])
        async with asyncio.timeout(10):
            while driver.hub.full.gate.forced <= forced:
                await asyncio.sleep(0.01)
        await theirs.close()
        await ours.close()


async def test_packets_arrive_without_segmentation_offload(monkeypatch):
    monkeypatch.setattr("broadcaster.webrtc.datagrams._UDP_SEGMENT", 9999)
    async with live(Camera(noise=True)) as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 20)
        assert inbound(theirs)["video"][1] == 0
        assert ours.stats().send_errors == 0
        await theirs.close()
        await ours.close()


def record_sequence_numbers(theirs, ssrc: int, numbers: list[int]) -> None:
    """Append the number of each packet that the viewer receives on this stream and can decrypt."""
    receiver = video_receiver(theirs)
    receive = receiver._handle_rtp_packet

    async def record(packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.ssrc == ssrc:
            numbers.append(packet.sequence_number)
        await receive(packet, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = record


async def test_sequence_numbers_wrap(monkeypatch):
    """Wait for packets, not for a time: a busy machine encodes and sends slowly."""
    monkeypatch.setattr("broadcaster.webrtc.sender.first_sequence", lambda: 65_440)
    async with live(Camera(noise=True)) as driver:
        numbers: list[int] = []
        reports: list[tuple[int, ReceiverReport]] = []
        monkeypatch.setattr(driver.fanout, "report", lambda _, report: reports.append((len(numbers), report)))
        ours, theirs, _ = await driver.join()
        record_sequence_numbers(theirs, driver.packetizer.video.ssrc, numbers)
        async with asyncio.timeout(90):
            while not reports or reports[-1][0] < 300:
                await decode(theirs, 1)
        assert numbers[0] > 65_400
        assert numbers == [numbers[0] + index & 0xFFFF for index in range(len(numbers))]
        assert ours._sender.video.frames.next > 65_536
        assert all(report.in_flight < 100 for _, report in reports)
        assert inbound(theirs)["video"][1] == 0
        await theirs.close()
        await ours.close()


async def test_receiver_reports_update_the_stats():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 60)
        stats = ours.stats()
        assert stats.round_trip is not None
        assert 0 <= stats.round_trip < 1
        assert (stats.loss, stats.health, stats.skipped) == (0, "well", 0)
        await theirs.close()
        await ours.close()


async def test_keyframe_request_for_another_stream_is_ignored():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 3)
        before = ours.stats().keyframe_requests
        for ssrc in (0, driver.packetizer.video.ssrc + 1, driver.packetizer.audio.ssrc):
            await send_pli(theirs, ssrc)
        await send_pli(theirs, driver.packetizer.video.ssrc)
        async with asyncio.timeout(5):
            while ours.stats().keyframe_requests == before:
                await asyncio.sleep(0.01)
        assert ours.stats().keyframe_requests == before + 1
        await theirs.close()
        await ours.close()


async def send_pli(theirs, ssrc: int) -> None:
    await theirs.getReceivers()[0].transport._send_rtp(bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=ssrc)))


async def test_packets_without_a_nominated_pair_are_not_counted_as_sent():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 5)
        ours._sender.datagrams._connection._nominated.clear()
        before = ours.stats()
        async with asyncio.timeout(5):
            while ours.stats().send_errors < before.send_errors + 10:
                await asyncio.sleep(0.01)
        after = ours.stats()
        assert before.video_packets > 0
        assert (after.video_packets, after.audio_packets) == (before.video_packets, before.audio_packets)
        assert after.bytes_sent == before.bytes_sent
        await theirs.close()
        await ours.close()


async def test_closing_sends_rtcp_bye():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 3)
        transport, received = theirs.getReceivers()[0].transport, []
        receive = transport._handle_rtcp_data

        async def record(data: bytes) -> None:
            received.append(data)
            await receive(data)

        transport._handle_rtcp_data = record
        await ours.close()
        async with asyncio.timeout(5):
            while not any(data[-7] == RTCP_BYE for data in received):
                await asyncio.sleep(0.01)
        await theirs.close()


async def test_traffic_includes_closed_peers():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        await decode(theirs, 5)
        await ours.close()
        packets = driver.peers.traffic().packets
        assert packets > 5
        await theirs.close()
        assert driver.peers.traffic().packets == packets
