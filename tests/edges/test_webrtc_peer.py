"""Our sender against a real aiortc peer over loopback: it connects, decrypts, decodes, answers and ends."""

import asyncio
import os
import time

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.errors import BadAnswer, BroadcasterError
from broadcaster.model.stream import OpusFrame
from broadcaster.webrtc import internals, peer
from broadcaster.webrtc.factory import COUNTER_MODE, GCM, AiortcPeerFactory, processor_features, profile_order
from tests.edges.webrtc_rig import Camera, Listener, WebRtcRig, inbound, on_air


@pytest.fixture
async def rig():
    async with on_air() as rig:
        yield rig


@pytest.mark.parametrize("order", [(GCM, COUNTER_MODE), (COUNTER_MODE, GCM)])
async def test_a_viewer_decrypts_and_decodes_everything(rig, order, monkeypatch):
    monkeypatch.setattr("broadcaster.webrtc.factory.profile_order", lambda _: order)
    rig.peers = AiortcPeerFactory(rig.fanout, rig.packetizer, SystemClock(), with_audio=True)
    ours, theirs, _ = await rig.join()
    video = next(receiver.track for receiver in theirs.getReceivers() if receiver.track.kind == "video")
    pictures = [await asyncio.wait_for(video.recv(), 5) for _ in range(10)]
    assert {(picture.width, picture.height) for picture in pictures} == {(320, 240)}
    received = await inbound(theirs)
    stats = ours.stats()
    assert received["video"][1] == received["audio"][1] == 0
    assert 0 < received["video"][0] <= stats.video_packets
    assert 0 < received["audio"][0] <= stats.audio_packets
    assert (stats.connected, stats.route, stats.send_errors) == (True, "direct", 0)
    await theirs.close()
    await ours.close()


async def test_the_offer_is_what_browsers_need_and_carries_our_identity(rig):
    ours = rig.peers.create("v1", Listener())
    offer = await ours.offer()
    video, audio = rig.packetizer.video, rig.packetizer.audio
    for line in (
        f"a=ssrc:{video.ssrc} cname:",
        f"a=ssrc:{audio.ssrc} cname:",
        f"a=rtpmap:{video.payload_type} H264/90000",
        f"a=rtpmap:{audio.payload_type} opus/48000/2",
        f"a=mid:{video.mid}",
        f"a=mid:{audio.mid}",
        "profile-level-id=42e01f",
        peer.PLAYOUT_DELAY,
        peer.ABS_SEND_TIME,
        "a=setup:actpass",
        "a=sendonly",
    ):
        assert line in offer.sdp
    assert offer.sdp.count("m=video") == offer.sdp.count("m=audio") == 1
    assert "VP8" not in offer.sdp
    assert offer.addresses
    await ours.close()


async def test_the_offer_has_one_fingerprint_in_each_m_line(rig):
    ours = rig.peers.create("v1", Listener())
    sdp = (await ours.offer()).sdp
    assert sdp.count("a=fingerprint:") == sdp.count("a=fingerprint:sha-256 ") == 2
    await ours.close()


async def test_the_offer_announces_stereo_unless_the_audio_is_mono():
    rig = WebRtcRig(Camera())
    for packets, announced in (([], True), ([b"\xf8\xff\xfe"], False), ([b"\xfc\xff\xfe"], True)):
        for packet in packets:
            rig.packetizer.packetize_audio(OpusFrame(packet, 0.0), 0.0)
        ours = rig.peers.create("v1", Listener())
        assert ("a=fmtp:96 sprop-stereo=1;useinbandfec=1" in (await ours.offer()).sdp) == announced
        await ours.close()


async def test_the_offer_names_a_picture_and_its_capture_time(rig):
    await asyncio.sleep(0.1)
    ours = rig.peers.create("v1", Listener())
    timestamp, milliseconds = (await ours.offer()).clock
    assert timestamp == rig.packetizer.video_clock.at(milliseconds / 1000)
    assert 0 <= time.monotonic() * 1000 - milliseconds < 1000
    await ours.close()


async def test_picture_loss_reaches_the_gate(rig):
    ours, theirs, _ = await rig.join()
    await asyncio.sleep(2.1)
    before = rig.camera.requests
    receiver = next(r for r in theirs.getReceivers() if r.track.kind == "video")
    await receiver._send_rtcp_pli(rig.packetizer.video.ssrc)
    await asyncio.sleep(0.1)
    assert rig.camera.requests == before + 1
    assert ours.stats().keyframe_requests >= 1
    await theirs.close()
    await ours.close()


async def test_a_second_viewer_makes_no_gap_for_the_first(rig):
    ours, theirs, _ = await rig.join("v1")
    others = [await rig.join(f"v{number}") for number in range(2, 6)]
    await asyncio.sleep(0.5)
    for _, pc, _ in [(ours, theirs, None), *others]:
        received = await inbound(pc)
        assert received["video"][0] > 5
        assert received["video"][1] == 0
    for our, their, _ in [(ours, theirs, None), *others]:
        await their.close()
        await our.close()


async def test_a_viewer_whose_sender_breaks_is_lost_and_the_others_go_on(rig, monkeypatch):
    ours, theirs, listener = await rig.join("v1")
    other, their_other, _ = await rig.join("v2")

    def breaks(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(ours._sender.datagrams, "send_batches", breaks)
    await asyncio.wait_for(listener.lost.wait(), 2)
    before = (await inbound(their_other))["video"][0]
    await asyncio.sleep(0.5)
    received = await inbound(their_other)
    assert received["video"][0] > before + 5
    assert received["video"][1] == 0
    for pc in (theirs, their_other, ours, other):
        await pc.close()


async def test_being_heard_of_follows_the_viewers_datagrams(rig):
    ours, theirs, _ = await rig.join()
    await asyncio.sleep(0.2)
    assert time.monotonic() - ours.last_activity() < 1.5
    assert ours.is_listening(time.monotonic())
    await theirs.close()
    await ours.close()


async def test_a_viewer_that_closes_is_lost_once(rig):
    ours, theirs, listener = await rig.join()
    await asyncio.sleep(0.3)
    await theirs.close()
    await asyncio.wait_for(listener.lost.wait(), 3)
    await ours.close()
    await ours.close()


async def test_closing_leaves_nothing_behind(rig):
    ours, theirs, _ = await rig.join()
    await ours.close()
    await theirs.close()
    await asyncio.sleep(0.1)
    tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    for number in range(5):
        ours, theirs, listener = await rig.join(f"again{number}")
        await ours.close()
        await theirs.close()
        assert not listener.lost.is_set()
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == tasks
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_a_close_that_nobody_waits_for_any_more_goes_on(rig):
    """A viewer may leave in the very moment in which its peer connection is being closed."""
    await asyncio.sleep(0.1)
    tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    for number in range(5):
        peer = rig.peers.create(f"v{number}", Listener())
        await peer.offer()
        closing = asyncio.create_task(peer.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await asyncio.wait_for(peer.close(), 5)
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == tasks
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_an_answer_that_does_not_fit_is_the_viewers_fault(rig):
    ours = rig.peers.create("v1", Listener())
    await ours.offer()
    for sdp in ("", "v=0\r\n", "garbage"):
        with pytest.raises(BadAnswer):
            await ours.answer(sdp)
    await ours.close()


def test_the_self_check_knows_this_release_and_names_what_is_missing(monkeypatch):
    async def run() -> None:
        internals.check()
        monkeypatch.delattr("aioice.ice.Connection.request_received")
        with pytest.raises(BroadcasterError, match="request_received"):
            internals.check()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("features", "first"),
    [
        ({"fp", "aes", "pmull", "sha1"}, GCM),
        ({"aes", "pclmulqdq"}, GCM),
        ({"fp", "asimd", "crc32"}, COUNTER_MODE),
        (set(), COUNTER_MODE),
    ],
)
def test_the_cheapest_profile_for_the_processor_comes_first(features, first):
    assert profile_order(features)[0] == first


def test_processor_features_are_read_as_the_kernel_writes_them(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nFeatures\t: fp asimd aes pmull\n")
    assert processor_features(path) == {"fp", "asimd", "aes", "pmull"}
    assert processor_features(tmp_path / "nothing") == set()
