"""The sender under trouble, against a real aiortc peer: lost packets, no offload, a viewer that went silent."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable

from aiortc.rtp import RTCP_PSFB_PLI, RtcpPsfbPacket

from broadcaster.model.stats import ReceiverReport
from broadcaster.webrtc.udp_port import DropReason
from tests.edges.webrtc_rig import Camera, inbound, on_air


def drop_video(theirs, chosen: Callable[[int], bool], ssrc: int) -> list[int]:
    """Let the viewer's transport lose the first copy of chosen video packets; gives their numbers."""
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


async def pictures(theirs, number: int) -> int:
    """Decode that many pictures."""
    video = next(receiver.track for receiver in theirs.getReceivers() if receiver.track.kind == "video")
    for _ in range(number):
        await asyncio.wait_for(video.recv(), 5)
    return number


async def test_lost_packets_are_repeated_and_the_picture_goes_on():
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 5)
        before = rig.hub.rendition.gate.forced
        dropped = drop_video(theirs, lambda count: count % 20 == 0, rig.packetizer.video.ssrc)
        await pictures(theirs, 60)
        assert len(dropped) > 15
        stats = ours.stats()
        assert len(dropped) * 0.8 <= stats.retransmitted <= len(dropped) * 1.5
        assert stats.nacks > 0
        assert rig.hub.rendition.gate.forced == before
        await theirs.close()
        await ours.close()


def lose_datagrams(theirs, chosen: Callable[[int], bool], ssrc: int) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Lose the first copy of chosen video packets on their way; gives these, and what came later, by number."""
    ice = theirs.getReceivers()[0].transport.transport
    receive, lost, again, count = ice._recv, {}, {}, 0

    async def lossy() -> bytes:
        nonlocal count
        while True:
            data: bytes = await receive()
            if data[0] >> 6 != 2 or int.from_bytes(data[8:12], "big") != ssrc:
                return data
            number = int.from_bytes(data[2:4], "big")
            count += 1
            if number in lost:
                again[number] = data
            elif chosen(count):
                lost[number] = data
                continue
            return data

    ice._recv = lossy
    return lost, again


async def test_without_rtx_the_same_packets_come_again_and_the_picture_goes_on():
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join(rtx=False)
        await pictures(theirs, 5)
        before = rig.hub.rendition.gate.forced
        lost, again = lose_datagrams(theirs, lambda count: count % 20 == 0, rig.packetizer.video.ssrc)
        await pictures(theirs, 60)
        assert len(lost) > 15
        assert len(again) > len(lost) * 0.8
        assert all(data == lost[number] for number, data in again.items())
        assert ours.stats().retransmitted >= len(again)
        assert rig.hub.rendition.gate.forced == before
        await theirs.close()
        await ours.close()


async def test_who_loses_packets_may_wait_for_repeats_and_who_loses_none_shows_all_at_once():
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 30)
        before = ours._sender.video.packet_format.delay_allowed
        drop_video(theirs, lambda count: count % 5 == 0, rig.packetizer.video.ssrc)
        async with asyncio.timeout(20):
            while not ours._sender.video.packet_format.delay_allowed:
                await pictures(theirs, 1)
        await theirs.close()
        await ours.close()
        assert not before


async def test_a_storm_of_nacks_is_held_by_the_budget():
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 5)
        receiver = next(r for r in theirs.getReceivers() if r.track.kind == "video")
        for _ in range(50):
            first = ours._sender.video.frames.next
            await receiver._send_rtcp_nack(rig.packetizer.video.ssrc, [first - 300 + n for n in range(300)])
            await asyncio.sleep(0.02)
        stats = ours.stats()
        assert stats.nacks >= 50  # aiortc has some of its own when this machine drops packets
        assert stats.retransmitted < 0.3 * stats.video_packets + 100
        assert ours._sender.budget.refused > 5000
        await theirs.close()
        await ours.close()


async def test_who_floods_with_reports_is_heard_now_and_then():
    """The largest NACKs there are, a thousand of them at once, each for five thousand packets."""
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 5)
        transport = theirs.getReceivers()[0].transport
        everything = struct.pack("!BBHII", 0x81, 205, 2 + 300, 1, rig.packetizer.video.ssrc)
        everything += b"".join(struct.pack("!HH", number * 17, 0xFFFF) for number in range(300))
        sent = [transport._tx_srtp.protect_rtcp(everything) for _ in range(1000)]
        taken = [ours._rtcp_received(data) for data in sent]
        await pictures(theirs, 10)
        assert set(taken) == {None, DropReason.RATE_LIMITED}
        assert 20 < taken.count(None) < 60
        assert ours.stats().retransmitted < 200
        assert ours.is_listening(time.monotonic())
        await theirs.close()
        await ours.close()


async def test_a_gap_beyond_the_budget_is_mended_by_a_keyframe():
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 60)
        sender, forced = ours._sender, rig.hub.rendition.gate.forced
        last = sender.video.frames.next
        while sender.retransmit([last - 1], time.monotonic() + sender.budget.packets) and not sender.budget.is_spent:
            pass
        assert sender.retransmit([last - n for n in range(1, 20)], time.monotonic())
        assert not sender.retransmit([last - n for n in range(1, 200)], time.monotonic())
        receiver = next(r for r in theirs.getReceivers() if r.track.kind == "video")
        await receiver._send_rtcp_nack(rig.packetizer.video.ssrc, [(last - 200 + n) & 0xFFFF for n in range(200)])
        await asyncio.sleep(0.3)
        assert rig.hub.rendition.gate.forced > forced
        await theirs.close()
        await ours.close()


async def test_without_offload_everything_still_arrives(monkeypatch):
    monkeypatch.setattr("broadcaster.webrtc.datagrams._UDP_SEGMENT", 9999)
    async with on_air(Camera(noise=True)) as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 20)
        assert (await inbound(theirs))["video"][1] == 0
        assert ours.stats().send_errors == 0
        await theirs.close()
        await ours.close()


async def test_sequence_numbers_wrap(monkeypatch):
    monkeypatch.setattr("broadcaster.webrtc.sender.first_sequence", lambda: 65_300)
    async with on_air(Camera(noise=True)) as rig:
        reports: list[ReceiverReport] = []
        monkeypatch.setattr(rig.fanout, "report", lambda _, report: reports.append(report))
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 60)
        assert ours._sender.video.frames.next > 65_536
        assert reports
        assert all(report.in_flight < 100 for report in reports)
        assert (await inbound(theirs))["video"][1] == 0
        await theirs.close()
        await ours.close()


async def test_reports_tell_how_the_viewer_fares():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 60)
        stats = ours.stats()
        assert stats.round_trip is not None
        assert 0 <= stats.round_trip < 1
        assert (stats.loss, stats.health, stats.skipped) == (0, "well", 0)
        await theirs.close()
        await ours.close()


async def test_a_keyframe_request_for_another_stream_is_none_of_ours():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 3)
        before = ours.stats().keyframe_requests
        for ssrc in (0, rig.packetizer.video.ssrc + 1, rig.packetizer.audio.ssrc):
            await send_pli(theirs, ssrc)
        await send_pli(theirs, rig.packetizer.video.ssrc)
        async with asyncio.timeout(5):
            while ours.stats().keyframe_requests == before:
                await asyncio.sleep(0.01)
        assert ours.stats().keyframe_requests == before + 1
        await theirs.close()
        await ours.close()


async def send_pli(theirs, ssrc: int) -> None:
    await theirs.getReceivers()[0].transport._send_rtp(bytes(RtcpPsfbPacket(RTCP_PSFB_PLI, ssrc=1, media_ssrc=ssrc)))


async def test_what_finds_no_way_is_not_counted_as_sent():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 5)
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


async def test_the_end_is_said_by_rtcp():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 3)
        transport, said = theirs.getReceivers()[0].transport, []
        receive = transport._handle_rtcp_data

        async def listen(data: bytes) -> None:
            said.append(data)
            await receive(data)

        transport._handle_rtcp_data = listen
        await ours.close()
        await asyncio.sleep(0.1)
        assert any(data[-7] == 203 for data in said)
        await theirs.close()


async def test_traffic_counts_closed_peers_too():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        await pictures(theirs, 5)
        await ours.close()
        packets = rig.peers.traffic().packets
        assert packets > 5
        await theirs.close()
        assert rig.peers.traffic().packets == packets
