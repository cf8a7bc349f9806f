"""Latency from capture to the presented frame, and the offset of audio and video over an hour."""

from __future__ import annotations

from playwright.async_api import async_playwright

from tests.bench.measurement import Options, Result, median
from tests.rigs.browser import Viewer, latencies, launch, missing
from tests.rigs.daemon import Daemon
from tests.rigs.sound_card import offsets

LATENCY_SECONDS = 15
HOUR = 3600
DRIFT = 200
"""Deviation of the sound card's clock, in ppm."""


async def measure_latency(options: Options) -> list[Result]:
    """Read the capture time from the strip in each presented frame; one viewer, 720p30."""
    async with Daemon() as daemon, async_playwright() as playwright:
        browser = await launch(playwright)
        viewer = Viewer(await browser.new_page())
        await viewer.open(daemon.url)
        await viewer.state("live")
        await viewer.pictures(2)
        frames = await viewer.pictures(LATENCY_SECONDS)
        await browser.close()
    skipped = Result("  frames not presented", f"{missing(frames)} of {len(frames)}", "none")
    return [median("capture to presented frame, 720p30", latencies(frames), "ms", "under 60 ms"), skipped]


async def measure_lipsync(options: Options) -> list[Result]:
    """Simulate an hour with the daemon's own sample clock, filters and RTP timeline; takes a few seconds."""
    results = []
    for ppm in (DRIFT, -DRIFT):
        measured = offsets(ppm, options.seconds or HOUR)
        largest = max(map(abs, measured)) * 1000
        name = f"largest offset of audio and video, sound card clock off by {ppm:+} ppm"
        results.append(Result(name, f"{largest:.1f} ms ({len(measured)} clicks)", "under 40 ms"))
    return results
