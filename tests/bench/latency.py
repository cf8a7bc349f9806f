"""Capture to presented picture, read from the strip in the picture."""

from __future__ import annotations

from playwright.async_api import async_playwright

from tests.bench.figures import Figure, median
from tests.bench.options import Options
from tests.rigs.browser import Viewer, latencies, launch, missing
from tests.rigs.daemon import Daemon

SECONDS = 15


async def measure(options: Options) -> list[Figure]:
    """One viewer, 720p30."""
    async with Daemon() as daemon, async_playwright() as playwright:
        browser = await launch(playwright)
        viewer = Viewer(await browser.new_page())
        await viewer.open(daemon.url)
        await viewer.state("live")
        await viewer.pictures(2)
        pictures = await viewer.pictures(SECONDS)
        await browser.close()
    left_out = Figure("  of them left out", f"{missing(pictures)} of {len(pictures)}", "none")
    return [median("capture to presented frame, 720p30", latencies(pictures), "ms", "under 60 ms"), left_out]
