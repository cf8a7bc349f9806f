"""A peer connection that is over is freed at once, without the garbage collector."""

import asyncio
import gc
import weakref

import pytest

from tests.edges.webrtc_rig import Listener, on_air


@pytest.fixture
async def rig():
    async with on_air() as rig:
        yield rig


@pytest.fixture
def no_collections():
    """Without the collector only reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def parts(peer) -> list[weakref.ref]:
    """What must be gone with a peer connection: itself, aiortc's objects and aioice's."""
    transceivers = peer.pc.getTransceivers()
    transport = transceivers[0].sender.transport
    held = [peer, peer.pc, peer.ice, transport, transport.transport, *transceivers]
    held += [part for each in transceivers for part in (each.sender, each.receiver)]
    return [weakref.ref(part) for part in held]


async def freed(references: list[weakref.ref]) -> None:
    """Wait until everything is gone; tasks that were cancelled end in the next rounds of the loop."""
    async with asyncio.timeout(2):
        while any(reference() for reference in references):
            await asyncio.sleep(0.01)


async def test_a_connected_one_that_is_closed(rig, no_collections):
    ours, theirs, _ = await rig.join()
    references = parts(ours)
    await ours.close()
    await theirs.close()
    del ours
    await freed(references)


async def test_one_that_the_viewer_closed(rig, no_collections):
    ours, theirs, listener = await rig.join()
    references = parts(ours)
    async with asyncio.timeout(5):
        while theirs.connectionState != "connected":  # before that it has no keys to say goodbye with
            await asyncio.sleep(0.01)
    await theirs.close()
    await asyncio.wait_for(listener.lost.wait(), 5)
    await ours.close()
    del ours
    await freed(references)


async def test_one_that_was_never_answered(rig, no_collections):
    ours = rig.peers.create("v1", Listener())
    await ours.offer()
    references = parts(ours)
    await ours.close()
    del ours
    await freed(references)


async def test_one_without_an_offer(rig, no_collections):
    ours = rig.peers.create("v1", Listener())
    references = parts(ours)
    await ours.close()
    del ours
    await freed(references)
