"""Viewers on the host of a daemon that runs in a tree: a light viewer that counts packets, and Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp
from playwright.async_api import async_playwright

from tests.arm.tree import Tree
from tests.rigs.browser import Viewer, find_chromium, launch
from tests.rigs.daemon import free_port
from tests.rigs.healthy import HealthyViewer

START_LIMIT = 180.0
WATCH_SECONDS = 20.0
MIN_FRAMES = 100
SETTINGS = {
    "video.source": "test",
    "audio.source": "test",
    "video.width": 320,
    "video.height": 180,
    "video.fps": 10,
    "video.bitrate": 500_000,
    "web.host": "127.0.0.1",
    "stream.state_dir": "/root/state",
}
"""Video that an emulated encoder can encode in real time."""


def watch(tree: Tree) -> str:
    """Watch for some seconds; no packet may be missing, and Chromium must show video."""
    return asyncio.run(_watch(tree))


async def _watch(tree: Tree) -> str:
    port = free_port()
    settings = [f"--set={name}={value}" for name, value in {**SETTINGS, "web.port": port}.items()]
    with tree.running("broadcaster", "run", "--live", *settings):
        await _until_live(port)
        results = [await _watch_light(port)]
        if find_chromium() is None:
            results.append("no Chromium on this machine")
        else:
            results.append(await _watch_chromium(port))
    return "; ".join(results)


async def _until_live(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT
    async with aiohttp.ClientSession() as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{port}/api/status") as answer:
                    if (await answer.json())["stream"]["state"] == "live":
                        return
            assert time.monotonic() < deadline, f"not live within {START_LIMIT:.0f} s"
            await asyncio.sleep(0.5)


async def _watch_light(port: int) -> str:
    async with HealthyViewer(port) as viewer:
        await viewer.keyframe(60)
        viewer.reset_pauses()
        before, audio = viewer.packets, viewer.audio_packets
        await asyncio.sleep(WATCH_SECONDS)
        packets, audio = viewer.packets - before, viewer.audio_packets - audio
        assert viewer.gaps == 0, f"{viewer.gaps} packets are missing"
        assert viewer.longest_pause < 2, f"no packet for {viewer.longest_pause:.1f} s"
        assert audio > 0.9 * 50 * WATCH_SECONDS, f"{audio} audio packets"
    return f"{packets} video and {audio} audio packets in {WATCH_SECONDS:.0f} s, 0 missing"


@contextlib.asynccontextmanager
async def _page(port: int) -> AsyncIterator[Viewer]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        try:
            viewer = Viewer(await browser.new_page())
            await viewer.open(f"http://127.0.0.1:{port}/")
            yield viewer
        finally:
            await browser.close()


async def _watch_chromium(port: int) -> str:
    """Frames that the emulated source skips are accepted, lost packets are not."""
    async with _page(port) as viewer:
        await viewer.state("live", limit=60)
        frames = await viewer.wait_for_frames(MIN_FRAMES, limit=60)
        lost = (await viewer.inbound("video"))["packetsLost"]
    assert lost == 0, f"Chromium lost {lost} packets"
    return f"Chromium shows {len(frames)} frames, 0 packets lost"
