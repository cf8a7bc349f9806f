"""The page during faults: no answer, cut signaling, a killed daemon, a sleeping computer, a hidden tab."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.faults.waiting import live_since
from tests.rigs.browser import Viewer, latencies, launch
from tests.rigs.cuttable import Cuttable
from tests.rigs.daemon import Daemon
from tests.rigs.presented import PresentedFrames, frozen_fraction, seconds_until_fluent

SMALL = {"video__width": 640, "video__height": 360, "video__bitrate": 1_000_000, "video__test_pattern": "camera"}
TINY = {
    "video__width": 160,
    "video__height": 90,
    "video__fps": 5,
    "video__bitrate": 100_000,
    "video__test_pattern": "camera",
    "web__max_viewers": 40,
}
PAGES = 30
MAX_DELAYS = (0.5, 1.0, 2.0, 3.0)
"""Longest delays of the page before each attempt, in seconds; the last one is repeated."""
TICK = 0.2
"""Seconds between two looks of the page at its clock."""


@pytest.mark.long
async def test_back_off_page_retries_with_growing_delays(record, open_page):
    async with Daemon(**SMALL) as daemon, Cuttable(daemon.port) as proxy:
        viewer = await open_page(proxy.url)
        await viewer.state("live")
        proxy.attempts.clear()
        proxy.is_open = False
        proxy.cut()
        began = time.monotonic()
        await viewer.state("reconnecting", limit=3)
        await viewer.state("unreachable", limit=36)
        elapsed = time.monotonic() - began
        delays = [b - a for a, b in itertools.pairwise([began, *proxy.attempts])]
        proxy.is_open = True
        await viewer.state("live", limit=10)
        allowed = [*MAX_DELAYS, *[MAX_DELAYS[-1]] * len(delays)]
        assert all(delay < limit + 2 for delay, limit in zip(delays, allowed, strict=False))
        assert len(delays) >= 8
        record(
            "back-off",
            f"{len(delays)} attempts in {elapsed:.0f} s, after {', '.join(f'{delay:.1f}' for delay in delays[:6])} … s,"
            " then says so; live when the daemon answers",
        )


@pytest.mark.long
async def test_resume_causes_no_freeze(record, open_page):
    async with Daemon(**SMALL) as daemon, Cuttable(daemon.port) as proxy:
        viewer = await open_page(proxy.url)
        await viewer.state("live")
        await viewer.pictures(2)
        began = int(time.time() * 1000)
        proxy.cut()
        frames = await viewer.pictures(5)
        fraction = frozen_fraction(frames, began, 5)
        peers = await viewer.evaluate("window.testPeers.length")
        assert await viewer.attribute("data-state") == "live"
        assert peers == 1
        assert "resumed" in daemon.log
        record("resume", f"resumed, {peers} peer connection, frozen {fraction:.1%} of 5 s")
        assert fraction < 0.1


@pytest.mark.long
async def test_restart_all_pages_reconnect_spread_over_time(record):
    async with Daemon(**TINY) as daemon, many_pages(daemon.url) as pages:
        await daemon.stop(signal.SIGKILL)
        killed = time.time()
        await asyncio.sleep(1)
        await daemon.start()
        listening = time.time() - killed
        live = [await live_since(page, killed) for page in pages]
        attempts = [(await page.attempts())[-1] for page in pages]
        spread, last = max(attempts) - min(attempts), max(live) - killed
        record(
            "restart",
            f"{len(pages)} pages: listening again after {listening:.1f} s, all live after {last:.1f} s,"
            f" successful attempts spread over {spread:.1f} s",
        )
        assert spread > 1


@contextlib.asynccontextmanager
async def many_pages(url: str) -> AsyncIterator[list[Viewer]]:
    """Open `PAGES` live pages in one profile, small and without animations, to save CPU time."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        context = await browser.new_context(viewport={"width": 240, "height": 136}, reduced_motion="reduce")
        pages = [Viewer(await context.new_page()) for _ in range(PAGES)]
        for page in pages:
            await page.open(url, watch=False)
        for page in pages:
            await page.state("live", limit=60)
        yield pages
        await browser.close()


@pytest.mark.long
async def test_sleep_video_resumes_after_waking(record, open_page):
    sleep_seconds = 20
    async with Daemon(**SMALL) as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        processes = chromium_processes()
        assert processes
        send_signal(processes, signal.SIGSTOP)
        try:
            await asyncio.sleep(sleep_seconds)
        finally:
            send_signal(processes, signal.SIGCONT)
        woken_at = int(time.time() * 1000)
        took = seconds_until_fluent(without_delayed(await viewer.pictures(8)), woken_at)
        record("sleep", f"video {took} s after waking")
        assert took is not None
        assert took < 4


def without_delayed(frames: PresentedFrames) -> PresentedFrames:
    """Remove frames that waited in the browser's sockets while it slept."""
    return [frame for frame in frames if frame and latencies([frame])[0] < 1000]


def chromium_processes() -> list[int]:
    """Return the Chromium processes that descend from this process."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text("utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), stat)

    def is_descendant(pid: int) -> bool:
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, (0, ""))[0]
        return pid == os.getpid()

    return [pid for pid, (_, stat) in parents.items() if "(chrom" in stat and is_descendant(pid)]


def send_signal(processes: list[int], number: int) -> None:
    for pid in processes:
        os.kill(pid, number)


@pytest.mark.long
async def test_hidden_page_continues_when_shown(record, open_page):
    async with Daemon(**SMALL) as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        await viewer.hide()
        await asyncio.sleep(15)
        await viewer.show()
        shown_at = int(time.time() * 1000)
        took = seconds_until_fluent(await viewer.pictures(3), shown_at)
        peers = await viewer.evaluate("window.testPeers.length")
        record("hidden", f"{peers} peer connection, video {took} s after it is shown")
        assert peers == 1
        assert daemon.log.count(" joined") == 1
        assert took is not None
        assert took < 1
