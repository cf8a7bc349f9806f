"""Pushing to media servers of other makers, which are killed and restarted; viewers must see no gap."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.conftest import Record
from tests.faults.continuity import uninterrupted
from tests.rigs import janus, pion_server
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.janus_bridge import JanusBridge, count_pictures
from tests.rigs.pion_server import PionServer
from tests.rigs.stalls import within
from tests.rigs.whip_server import WhipServer

pytestmark = pytest.mark.long

RECONNECT_LIMIT = 5.0
"""Seconds from the restart of the server until it has the stream again."""

PICTURES = 15
"""Pictures that must be decoded."""

needs_pion = pytest.mark.skipif(bool(pion_server.missing()), reason=pion_server.missing() or "never")
needs_janus = pytest.mark.skipif(bool(janus.missing()), reason=janus.missing() or "never")


@contextlib.asynccontextmanager
async def pushing(url: str) -> AsyncIterator[tuple[Daemon, HealthyViewer]]:
    """Run a daemon that pushes to this URL when it goes live, and a viewer who must see no gap."""
    settings = {"video__width": 640, "video__height": 360, "video__bitrate": 1_000_000, "log__level": "debug"}
    daemon = Daemon(push=f'[{{name = "test", url = "{url}"}}]', live=False, **settings)
    async with daemon:
        await daemon.set_live(True)
        async with HealthyViewer(daemon.port) as viewer:
            await viewer.keyframe()
            async with uninterrupted(viewer):
                yield daemon, viewer
            assert await daemon.stop() == 0
            assert "Traceback" not in daemon.log


async def connect_seconds(daemon: Daemon) -> float:
    """Return how long the first attempt took, from the log."""
    return float(daemon.log.partition(": connected after ")[2].partition(" s")[0])


@needs_pion
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("pion", []),
        ("pion, ICE lite and setup:passive", ["-lite", "-passive"]),
        ("pion, codecs of LiveKit", ["-few"]),
        ("pion, PLI every 2 s", ["-pli", "2s"]),
    ],
)
async def test_pion(record: Record, name: str, flags: list[str]) -> None:
    async with PionServer(*flags) as server, pushing(server.url) as (daemon, _):
        await server.received(video=120, audio=50)
        assert await server.decoded() >= PICTURES
        await server.kill()
        await server.start()
        began = time.monotonic()
        async with within(RECONNECT_LIMIT):
            await server.received(video=1, audio=1)
        again = time.monotonic() - began
        session = await server.received(video=120)
        assert session["Gaps"] == 0
        assert await server.decoded() >= PICTURES
        record("push", f"{name}: {await connect_seconds(daemon):.2f} s, again after {again:.1f} s")


@needs_janus
@pytest.mark.parametrize(("name", "nat"), [("Janus", ""), ("Janus, ICE lite", "ice_lite = true")])
async def test_janus(record: Record, name: str, nat: str) -> None:
    async with JanusBridge(nat) as bridge, pushing(bridge.url) as (daemon, _):
        await bridge.received(120)
        assert ("a=ice-lite" in bridge.answers[0]) == bool(nat)
        assert count_pictures(bridge.packets) >= PICTURES
        await bridge.janus.kill()
        await bridge.janus.start()
        bridge.packets.clear()
        began = time.monotonic()
        async with within(RECONNECT_LIMIT):
            await bridge.received(1)
        again = time.monotonic() - began
        await bridge.received(120)
        assert count_pictures(bridge.packets) >= PICTURES
        record("push", f"{name}: {await connect_seconds(daemon):.2f} s, again after {again:.1f} s")


@pytest.mark.parametrize(("name", "passive"), [("aiortc", False), ("aiortc, setup:passive", True)])
async def test_aiortc(record: Record, name: str, passive: bool) -> None:
    async with WhipServer() as server:
        server.is_passive = passive
        async with pushing(server.url) as (daemon, _):
            publication = await server.published()
            await server.until(lambda: publication.frames >= PICTURES and publication.audio_frames >= PICTURES)
            await server.kill()
            await server.start()
            began = time.monotonic()
            async with within(RECONNECT_LIMIT):
                await server.published(2)
            again = time.monotonic() - began
            record("push", f"{name}: {await connect_seconds(daemon):.2f} s, again after {again:.1f} s")
        assert server.publications[-1].deleted
