"""Peer connections with a real aiortc peer over loopback: offer, media, RTCP, closing."""

import asyncio
import os
import time

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.errors import BadAnswer, BroadcasterError
from broadcaster.model.stream import OpusFrame
from broadcaster.signaling.codec_choice import ABS_SEND_TIME, PLAYOUT_DELAY
from broadcaster.webrtc import internals
from broadcaster.webrtc.factory import COUNTER_MODE, GCM, AiortcPeerFactory, processor_features, profile_order
from tests.edges.webrtc_driver import Camera, Listener, WebRtcDriver, inbound, live


@pytest.fixture
async def driver():
    async with live() as driver:
        yield driver


@pytest.mark.parametrize("order", [(GCM, COUNTER_MODE), (COUNTER_MODE, GCM)])
async def test_viewer_decrypts_and_decodes_all_packets(driver, order, monkeypatch):
    monkeypatch.setattr("broadcaster.webrtc.factory.profile_order", lambda _: order)
    driver.peers = AiortcPeerFactory(driver.fanout, driver.packetizer, SystemClock(), with_audio=True)
    ours, theirs, _ = await driver.join()
    video = next(receiver.track for receiver in theirs.getReceivers() if receiver.track.kind == "video")
    frames = [await asyncio.wait_for(video.recv(), 30) for _ in range(10)]
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}
    received = inbound(theirs)
    stats = ours.stats()
    assert received["video"][1] == received["audio"][1] == 0
    assert 0 < received["video"][0] <= stats.video_packets
    assert 0 < received["audio"][0] <= stats.audio_packets
    assert (stats.connected, stats.route, stats.send_errors) == (True, "direct", 0)
    await theirs.close()
    await ours.close()


async def test_offer_has_what_browsers_need_and_our_stream_identities(driver):
    ours = driver.peers.create("v1", Listener())
    offer = await ours.offer()
    video, audio = driver.packetizer.video, driver.packetizer.audio
    for line in (
        f"a=ssrc:{video.ssrc} cname:",
        f"a=ssrc:{audio.ssrc} cname:",
        "a=rtpmap:101 H264/90000",
        "a=rtpmap:96 opus/48000/2",
        f"a=mid:{video.mid}",
        f"a=mid:{audio.mid}",
        "profile-level-id=42e01f",
        PLAYOUT_DELAY,
        ABS_SEND_TIME,
        "a=setup:actpass",
        "a=sendonly",
    ):
        assert line in offer.sdp
    assert offer.sdp.count("m=video") == offer.sdp.count("m=audio") == 1
    assert "VP8" not in offer.sdp
    assert offer.addresses
    await ours.close()


async def test_offer_has_one_fingerprint_per_m_line(driver):
    ours = driver.peers.create("v1", Listener())
    sdp = (await ours.offer()).sdp
    assert sdp.count("a=fingerprint:") == sdp.count("a=fingerprint:sha-256 ") == 2
    await ours.close()


async def test_offer_announces_stereo_unless_the_audio_is_mono():
    driver = WebRtcDriver(Camera())
    for packets, announced in (([], True), ([b"\xf8\xff\xfe"], False), ([b"\xfc\xff\xfe"], True)):
        for packet in packets:
            driver.packetizer.packetize_audio(OpusFrame(packet, 0.0), 0.0)
        ours = driver.peers.create("v1", Listener())
        assert ("a=fmtp:96 sprop-stereo=1;useinbandfec=1" in (await ours.offer()).sdp) == announced
        await ours.close()


async def test_offer_has_a_reference_timestamp_and_its_capture_time(driver):
    await asyncio.sleep(0.1)
    ours = driver.peers.create("v1", Listener())
    timestamp, milliseconds = (await ours.offer()).clock
    assert timestamp == driver.packetizer.video_clock.at(milliseconds / 1000)
    assert 0 <= time.monotonic() * 1000 - milliseconds < 1000
    await ours.close()


async def test_picture_loss_indication_requests_a_keyframe(driver):
    ours, theirs, _ = await driver.join()
    await asyncio.sleep(2.1)
    before = driver.camera.requests
    receiver = next(r for r in theirs.getReceivers() if r.track.kind == "video")
    await receiver._send_rtcp_pli(driver.packetizer.video.ssrc)
    await asyncio.sleep(0.1)
    assert driver.camera.requests == before + 1
    assert ours.stats().keyframe_requests >= 1
    await theirs.close()
    await ours.close()


async def test_new_viewers_cause_no_loss_for_others(driver):
    ours, theirs, _ = await driver.join("v1")
    others = [await driver.join(f"v{number}") for number in range(2, 6)]
    await asyncio.sleep(0.5)
    for _, pc, _ in [(ours, theirs, None), *others]:
        received = inbound(pc)
        assert received["video"][0] > 5
        assert received["video"][1] == 0
    for our, their, _ in [(ours, theirs, None), *others]:
        await their.close()
        await our.close()


async def test_exception_in_a_sender_ends_only_its_viewer(driver, monkeypatch):
    ours, theirs, listener = await driver.join("v1")
    other, their_other, _ = await driver.join("v2")

    def fail(*_: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(ours._sender.datagrams, "send_batches", fail)
    await asyncio.wait_for(listener.lost.wait(), 10)
    before = inbound(their_other)["video"][0]
    await asyncio.sleep(0.5)
    received = inbound(their_other)
    assert received["video"][0] > before + 5
    assert received["video"][1] == 0
    for pc in (theirs, their_other, ours, other):
        await pc.close()


async def test_activity_follows_the_viewers_datagrams(driver):
    ours, theirs, _ = await driver.join()
    await asyncio.sleep(0.2)
    assert time.monotonic() - ours.last_activity() < 1.5
    assert ours.is_listening(time.monotonic())
    await theirs.close()
    await ours.close()


async def test_peer_is_lost_when_the_viewer_closes(driver):
    ours, theirs, listener = await driver.join()
    await asyncio.sleep(0.3)
    await theirs.close()
    await asyncio.wait_for(listener.lost.wait(), 10)
    await ours.close()
    await ours.close()


async def test_closing_leaves_no_tasks_or_descriptors(driver):
    ours, theirs, _ = await driver.join()
    await ours.close()
    await theirs.close()
    await asyncio.sleep(0.1)
    tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    for number in range(5):
        ours, theirs, listener = await driver.join(f"again{number}")
        await ours.close()
        await theirs.close()
        assert not listener.lost.is_set()
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == tasks
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_cancelled_close_completes(driver):
    """A viewer may leave while its peer connection is being closed."""
    await asyncio.sleep(0.1)
    tasks, descriptors = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
    for number in range(5):
        peer = driver.peers.create(f"v{number}", Listener())
        await peer.offer()
        closing = asyncio.create_task(peer.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await asyncio.wait_for(peer.close(), 5)
    await asyncio.sleep(0.1)
    assert len(asyncio.all_tasks()) == tasks
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_unusable_answer_raises_bad_answer(driver):
    ours = driver.peers.create("v1", Listener())
    await ours.offer()
    for sdp in ("", "v=0\r\n", "garbage"):
        with pytest.raises(BadAnswer):
            await ours.answer(sdp)
    await ours.close()


def test_self_check_accepts_this_release_and_reports_missing_names(monkeypatch):
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
def test_fastest_profile_for_the_processor_is_first(features, first):
    assert profile_order(features)[0] == first


def test_processor_features_are_read_from_cpuinfo(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nFeatures\t: fp asimd aes pmull\n")
    assert processor_features(path) == {"fp", "asimd", "aes", "pmull"}
    assert processor_features(tmp_path / "nothing") == set()
