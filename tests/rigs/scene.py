"""A browser behind a bad network link, and viewers next to the daemon that must not be affected."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from tests.rigs.browser import FLAGS, Viewer, find_chromium
from tests.rigs.daemon import Daemon
from tests.rigs.healthy import HealthyViewer
from tests.rigs.presented import PresentedFrames
from tests.rigs.shaper import FAR, NEAR, Link, Shaper, shaped

FULL = 2_500_000
"""`video.bitrate` in all scenes."""

SETTINGS = {"video__width": 640, "video__height": 360, "video__bitrate": FULL, "video__test_pattern": "camera"}
_SETTLED = 6.0
"""Seconds after which the bandwidth estimate of the browser has settled."""


@dataclass(slots=True)
class Scene:
    """A page behind the link, and viewers next to the daemon."""

    network: Shaper
    daemon: Daemon
    browser: Browser
    viewer: Viewer
    others: list[HealthyViewer]

    async def during(self, link: Link, seconds: float) -> tuple[PresentedFrames, int]:
        """Return the pictures presented during `seconds` with that link, and the start time (Unix ms)."""
        self.network.set(link)
        began = int(time.time() * 1000)
        return await self.viewer.pictures(seconds), began

    async def stats(self) -> dict[str, Any]:
        """Return the daemon's statistics of the browser's newest peer connection."""
        status: Any = await self.daemon.status()
        peers = [
            viewer["peers"][-1] for viewer in status["viewer_figures"] if viewer["address"] == FAR and viewer["peers"]
        ]
        return peers[-1] if peers else {}


@contextlib.asynccontextmanager
async def scene(others: int = 0, **settings: object) -> AsyncIterator[Scene]:
    """Set up the scene, wait until all viewers play, and tear it down at the end. Raises `OSError` without root."""
    async with contextlib.AsyncExitStack() as stack:
        network = await stack.enter_async_context(shaped())
        playwright = await stack.enter_async_context(async_playwright())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(network.near.inside())
        daemon = await stack.enter_async_context(Daemon(**(SETTINGS | settings)))
        healthy = [await stack.enter_async_context(HealthyViewer(daemon.port)) for _ in range(others)]
        await asyncio.gather(*(other.keyframe() for other in healthy))
        wrapper = network.far.wrapper(find_chromium() or "chromium", folder)
        browser = await playwright.chromium.launch(executable_path=wrapper, args=FLAGS)
        stack.push_async_callback(browser.close)
        viewer = Viewer(await browser.new_page())
        await viewer.open(f"http://{NEAR}:{daemon.port}/")
        await viewer.state("live")
        await viewer.pictures(_SETTLED)
        yield Scene(network, daemon, browser, viewer, healthy)
