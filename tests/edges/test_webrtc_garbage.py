"""Closed peer connections are freed at once, without the garbage collector."""

import asyncio
import gc
import weakref

import pytest

from tests.edges.test_webrtc_player import playing
from tests.edges.web_rig import served
from tests.edges.webrtc_driver import Listener, live
from tests.edges.whep_client import WhepClient


@pytest.fixture
async def driver():
    async with live() as driver:
        yield driver


@pytest.fixture
def no_collections():
    """Disable the collector, so that only reference counting frees objects."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parts(peer) -> list[weakref.ref]:
    """Return references to a peer connection and its objects of aiortc and aioice."""
    transceivers = peer.pc.getTransceivers()
    transport = transceivers[0].sender.transport
    objects = [peer, peer.pc, peer.ice, transport, transport.transport, *transceivers]
    objects += [part for each in transceivers for part in (each.sender, each.receiver)]
    return [weakref.ref(part) for part in objects]


async def freed(references: list[weakref.ref]) -> None:
    """Wait until all are freed; cancelled tasks end in the next iterations of the event loop."""
    async with asyncio.timeout(10):
        while any(reference() for reference in references):
            await asyncio.sleep(0.01)


async def test_closed_peer_is_freed(driver, no_collections):
    ours, theirs, _ = await driver.join()
    references = parts(ours)
    await ours.close()
    await theirs.close()
    del ours
    await freed(references)


async def test_peer_closed_by_the_viewer_is_freed(driver, no_collections):
    ours, theirs, listener = await driver.join()
    references = parts(ours)
    async with asyncio.timeout(5):
        while theirs.connectionState != "connected":  # before that it has no keys for its DTLS alert
            await asyncio.sleep(0.01)
    await theirs.close()
    await asyncio.wait_for(listener.lost.wait(), 5)
    await ours.close()
    del ours
    await freed(references)


async def test_unanswered_peer_is_freed(driver, no_collections):
    ours = driver.peers.create("v1", Listener())
    await ours.offer()
    references = parts(ours)
    await ours.close()
    del ours
    await freed(references)


async def test_peer_without_an_offer_is_freed(driver, no_collections):
    ours = driver.peers.create("v1", Listener())
    references = parts(ours)
    await ours.close()
    del ours
    await freed(references)


async def test_closed_peer_of_a_player_is_freed(driver, no_collections):
    async with playing(driver, "video", "audio") as (ours, _, _, _):
        references = parts(ours)
    del ours
    await freed(references)


async def test_player_that_has_left_is_freed(no_collections):
    async with served() as rig:
        client = WhepClient(rig.client, rig.url)
        location = (await client.open()).location
        player = rig.server._routes._players.find(location.removeprefix("/whep/"))
        references = [weakref.ref(player), weakref.ref(rig.peers.created.pop())]
        del player
        await client.delete(location)
        await freed(references)
