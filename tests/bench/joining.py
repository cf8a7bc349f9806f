"""Time until a new viewer sees the first frame."""

from __future__ import annotations

import asyncio

from playwright.async_api import async_playwright

from tests.bench.crowd import crowd
from tests.bench.measurement import Options, Result, median, percentile
from tests.rigs.browser import Viewer, launch
from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer

RUNS = 20
PRESENT = 20
SETTLE = 2.0
MAX_STAY = 120.0
"""Seconds for which the viewers already present stay at most."""


async def measure(options: Options) -> list[Result]:
    """Join with a browser alone, and with a light viewer while others watch."""
    async with Daemon() as daemon:
        results = await _browser(daemon)
    return [*results, await _light()]


async def _browser(daemon: Daemon) -> list[Result]:
    """Each run uses a new browser profile, so that nothing is cached."""
    page_times, script_times = [], []
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        for _ in range(RUNS):
            context = await browser.new_context()
            viewer = Viewer(await context.new_page())
            await viewer.open(daemon.url)
            await viewer.state("live")
            page_times.append(float(await viewer.evaluate("window.testFirstPicture")))
            script_times.append(float(await viewer.attribute("data-join-ms") or "nan"))
            await context.close()
        await browser.close()
    return [
        median("page opened to first presented frame", page_times, "ms", "under 200 ms"),
        median("page script to first presented frame", script_times, "ms", "under 120 ms"),
    ]


async def _light() -> Result:
    """Includes the viewer's own time: its ICE and DTLS are in Python, too."""
    times = []
    async with Daemon(web__max_viewers=PRESENT + 1) as daemon, crowd(daemon.port, PRESENT, MAX_STAY):
        while (await daemon.status())["viewers"] != PRESENT:
            await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLE)
        for _ in range(RUNS):
            async with LightViewer(daemon.port) as viewer:
                times.append(await viewer.keyframe() * 1000)
    value = f"p50 {percentile(times, 0.5):.0f} ms, p95 {percentile(times, 0.95):.0f} ms ({RUNS} runs)"
    return Result(
        f"hello to first keyframe packet, {PRESENT} viewers present", value, "p50 under 80 ms, p95 under 160 ms"
    )
