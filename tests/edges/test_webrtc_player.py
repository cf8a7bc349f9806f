"""Peer connections that answer: aiortc as the player, over loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from broadcaster.devices.clock import SystemClock
from broadcaster.model.offers import Answer
from broadcaster.settings import IceServer, IceSettings
from broadcaster.signaling.player_offer import filter_offer
from broadcaster.webrtc.factory import AiortcPeerFactory
from tests.edges.webrtc_driver import CONNECT_TIMEOUT, Camera, Listener, WebRtcDriver, inbound, live
from tests.rigs.payload_types import with_extension_ids, with_payload_types


@contextlib.asynccontextmanager
async def playing(driver: WebRtcDriver, *kinds: str, change=lambda offer: offer) -> AsyncIterator[tuple]:
    """Connect a player that wants these kinds of media; yield our peer, the player, our answer, and the listener."""
    theirs, listener = RTCPeerConnection(RTCConfiguration(iceServers=[])), Listener()
    for kind in kinds:
        theirs.addTransceiver(kind, direction="recvonly")
    await theirs.setLocalDescription(await theirs.createOffer())
    offer = filter_offer(change(theirs.localDescription.sdp), with_audio=True)
    ours = driver.peers.create_player("v1", listener, offer)
    answer: Answer = await ours.answer()
    await theirs.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
    await asyncio.wait_for(listener.connected.wait(), CONNECT_TIMEOUT)
    try:
        yield ours, theirs, answer, listener
    finally:
        await theirs.close()
        await ours.close()


async def frames(theirs: RTCPeerConnection, number: int = 3) -> dict[str, list]:
    """Return decoded frames of each track."""
    received = {}
    for receiver in theirs.getReceivers():
        received[receiver.track.kind] = [
            await asyncio.wait_for(receiver.track.recv(), CONNECT_TIMEOUT) for _ in range(number)
        ]
    return received


@pytest.mark.parametrize("kinds", [("video", "audio"), ("audio", "video"), ("video",), ("audio",)], ids="-".join)
async def test_player_gets_the_media_that_it_wants(kinds: tuple[str, ...]) -> None:
    async with live() as driver, playing(driver, *kinds) as (ours, theirs, answer, _):
        received = await frames(theirs)
        assert set(received) == set(kinds)
        if "video" in kinds:
            assert {(frame.width, frame.height) for frame in received["video"]} == {(320, 240)}
        stats = ours.stats()
        assert stats.connected
        assert (stats.video_packets > 0, stats.audio_packets > 0) == ("video" in kinds, "audio" in kinds)
        assert all(lost == 0 for _, lost in inbound(theirs).values())
        assert answer.addresses


async def test_packets_have_the_payload_types_and_extension_ids_of_the_player() -> None:
    mine = {101: 41, 102: 42, 96: 43}
    async with live() as driver, playing(driver, "audio", "video") as (shared, *_):
        offer, listener = RTCPeerConnection(RTCConfiguration(iceServers=[])), Listener()
        offer.addTransceiver("video", direction="recvonly")
        offer.addTransceiver("audio", direction="recvonly")
        await offer.setLocalDescription(await offer.createOffer())
        renamed = with_extension_ids(with_payload_types(offer.localDescription.sdp, mine), {3: 12, 4: 13})
        other = filter_offer(renamed, with_audio=True)
        assert other.media["video"].negotiated.payload_type == 41
        ours = driver.peers.create_player("v2", listener, other)
        answer = await ours.answer()
        restored = with_payload_types(answer.sdp, {new: old for old, new in mine.items()})
        await offer.setRemoteDescription(RTCSessionDescription(with_extension_ids(restored, {12: 3, 13: 4}), "answer"))
        await asyncio.wait_for(listener.connected.wait(), CONNECT_TIMEOUT)
        theirs = ours._sender.video.packet_format
        assert (theirs.payload_type, theirs.abs_send_time, theirs.playout_delay) == (41, 12, 13)
        assert ours._sender.audio.packet_format.payload_type == 43
        assert theirs.layout == shared._sender.video.packet_format.layout, "so both share the packets"
        await offer.close()
        await ours.close()


async def test_player_that_wants_to_be_the_dtls_server_may() -> None:
    def passive(offer: str) -> str:
        return offer.replace("a=setup:actpass", "a=setup:passive")

    async with live() as driver:
        theirs, listener = RTCPeerConnection(RTCConfiguration(iceServers=[])), Listener()
        theirs.addTransceiver("video", direction="recvonly")
        await theirs.setLocalDescription(await theirs.createOffer())
        ours = driver.peers.create_player(
            "v1", listener, filter_offer(passive(theirs.localDescription.sdp), with_audio=True)
        )
        answer = await ours.answer()
        assert "a=setup:active" in answer.sdp
        await theirs.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        assert (await frames(theirs))["video"]
        await theirs.close()
        await ours.close()


async def test_end_of_the_player_and_of_our_side_is_noticed() -> None:
    async with live() as driver, playing(driver, "video", "audio") as (ours, theirs, _, listener):
        await frames(theirs)
        assert ours.last_activity() is not None
        await theirs.close()
        await asyncio.wait_for(listener.lost.wait(), CONNECT_TIMEOUT)
        assert driver.peers.traffic().packets > 0
        await ours.close()
        await ours.close()


async def test_lost_packets_are_retransmitted_with_the_payload_type_of_the_player() -> None:
    async with live(Camera(noise=True)) as driver, playing(driver, "video", "audio") as (ours, theirs, _, _):
        await frames(theirs)
        sender = ours._sender
        before = sender.budget.packets
        assert sender.retransmit([sender.video.next_sequence - 2 & 0xFFFF], 10.0)
        assert sender.budget.packets > before
        assert sender._rtx.payload_type == 102
        await frames(theirs)


async def test_player_gets_the_ice_servers_with_credentials_of_its_own() -> None:
    servers = (IceServer(("stun:192.0.2.9",)), IceServer(("turn:192.0.2.9?transport=udp",)))
    driver = WebRtcDriver(Camera())
    ice = IceSettings(servers=servers, turn_secret="secret")
    peers = AiortcPeerFactory(driver.fanout, driver.packetizer, SystemClock(), with_audio=True, ice=ice)
    stun, turn = peers.ice_servers("v7")
    assert stun == {"urls": ["stun:192.0.2.9"]}
    assert turn["urls"] == ["turn:192.0.2.9?transport=udp"]
    assert turn["username"].endswith(":v7")
    assert turn["credential"]
