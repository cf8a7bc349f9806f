"""aiortc plays by WHEP, over real HTTP."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.bench.player_crowd import PlayerCrowd
from tests.edges.whep_client import WhepClient
from tests.players.rig import PLAY_LIMIT, figures, wait_until
from tests.rigs.daemon import Daemon


async def test_aiortc_decodes_video_and_audio_and_leaves() -> None:
    async with Daemon(video__width=320, video__height=180) as daemon, aiohttp.ClientSession() as http:
        client, peer = (
            WhepClient(http, daemon.url.removesuffix("/")),
            RTCPeerConnection(RTCConfiguration(iceServers=[])),
        )
        peer.addTransceiver("audio", direction="recvonly")
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        reply = await client.open(peer.localDescription.sdp)
        assert reply.status == 201
        await peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        async with asyncio.timeout(PLAY_LIMIT):
            frames = {receiver.track.kind: await receiver.track.recv() for receiver in peer.getReceivers()}
        assert (frames["video"].width, frames["video"].height) == (320, 180)
        assert frames["audio"].sample_rate == 48_000
        (viewer,) = await figures(daemon)
        assert viewer["connected"]
        assert viewer["peers"][0]["video_packets"] > 0
        assert (await client.delete(reply.location)).status == 200
        assert await figures(daemon) == []
        await peer.close()


async def test_player_that_closes_its_connection_without_a_request_frees_its_place() -> None:
    async with Daemon(video__width=320, video__height=180) as daemon, aiohttp.ClientSession() as http:
        client, peer = (
            WhepClient(http, daemon.url.removesuffix("/")),
            RTCPeerConnection(RTCConfiguration(iceServers=[])),
        )
        peer.addTransceiver("video", direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        reply = await client.open(peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        async with asyncio.timeout(PLAY_LIMIT):
            await peer.getReceivers()[0].track.recv()
        await peer.close()
        await wait_until(daemon, lambda viewers: not viewers)
        assert "connection closed" in daemon.log


@pytest.mark.long
async def test_killed_player_frees_its_place_after_ten_seconds() -> None:
    async with Daemon(video__width=320, video__height=180) as daemon:
        async with PlayerCrowd(daemon.port, 2, 1):
            await wait_until(daemon, lambda viewers: len(viewers) == 2)
        began = time.monotonic()
        await wait_until(daemon, lambda viewers: not viewers, 15)
        assert time.monotonic() - began > 5
        assert "no sign of life" in daemon.log
