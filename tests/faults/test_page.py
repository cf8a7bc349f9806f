"""The page on bad days: nobody answers, signaling is cut, the daemon dies, the machine sleeps, the tab is hidden."""

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

from tests.rigs.browser import Viewer, latencies, launch
from tests.rigs.cuttable import Cuttable
from tests.rigs.daemon import Daemon
from tests.rigs.seen import Pictures, flows_after, frozen

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
LADDER = (0.5, 1.0, 2.0, 3.0)
"""Seconds that the page waits at most before each try; the last one goes on."""
TICK = 0.2
"""Seconds between two looks of the page at its clock."""


@pytest.mark.long
async def test_ladder_the_page_comes_back_step_by_step(measured, open_page):
    async with Daemon(**SMALL) as daemon, Cuttable(daemon.port) as way:
        viewer = await open_page(way.url)
        await viewer.state("live")
        way.attempts.clear()
        way.is_open = False
        way.cut()
        began = time.monotonic()
        await viewer.state("reconnecting", limit=3)
        await viewer.state("unreachable", limit=36)
        silent = time.monotonic() - began
        waits = [b - a for a, b in itertools.pairwise([began, *way.attempts])]
        way.is_open = True
        await viewer.state("live", limit=10)
        allowed = [*LADDER, *[LADDER[-1]] * len(waits)]
        assert all(wait < most + 2 for wait, most in zip(waits, allowed, strict=False))
        assert len(waits) >= 8
        measured(
            "ladder",
            f"{len(waits)} tries in {silent:.0f} s, after {', '.join(f'{wait:.1f}' for wait in waits[:6])} … s,"
            " then says so; live when somebody answers",
        )


@pytest.mark.long
async def test_take_over_costs_no_picture(measured, open_page):
    async with Daemon(**SMALL) as daemon, Cuttable(daemon.port) as way:
        viewer = await open_page(way.url)
        await viewer.state("live")
        await viewer.pictures(2)
        began = int(time.time() * 1000)
        way.cut()
        pictures = await viewer.pictures(5)
        share = frozen(pictures, began, 5)
        peers = await viewer.evaluate("window.testPeers.length")
        assert await viewer.attribute("data-state") == "live"
        assert peers == 1
        assert "resumed" in daemon.log
        measured("take-over", f"resumed, {peers} peer connection, frozen {share:.1%} of 5 s")
        assert share < 0.1


@pytest.mark.long
async def test_restart_brings_all_pages_back_and_not_at_once(measured):
    async with Daemon(**TINY) as daemon, many_pages(daemon.url) as pages:
        await daemon.stop(signal.SIGKILL)
        killed = time.time()
        await asyncio.sleep(1)
        await daemon.start()
        served = time.time() - killed
        live = [await live_since(page, killed) for page in pages]
        tried = [(await page.attempts())[-1] for page in pages]
        spread, last = max(tried) - min(tried), max(live) - killed
        measured(
            "restart",
            f"{len(pages)} pages: served after {served:.1f} s, all live after {last:.1f} s, the tries that brought them"
            f" back spread over {spread:.1f} s",
        )
        assert spread > 1


@contextlib.asynccontextmanager
async def many_pages(url: str) -> AsyncIterator[list[Viewer]]:
    """All live, in one profile, small and without animations: this machine shows them all."""
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


async def live_since(page: Viewer, moment: float) -> float:
    """When the page was live for the first time after that (Unix seconds), once it is."""
    async with asyncio.timeout(60):
        while True:
            live = [since for state, since in await page.states() if state == "live" and since > moment]
            if live:
                return live[0]
            await asyncio.sleep(0.1)


@pytest.mark.long
async def test_sleep_ends_with_a_picture(measured, open_page):
    asleep = 20
    async with Daemon(**SMALL) as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        browser = chromium_processes()
        assert browser
        send(browser, signal.SIGSTOP)
        try:
            await asyncio.sleep(asleep)
        finally:
            send(browser, signal.SIGCONT)
        woken = int(time.time() * 1000)
        took = flows_after(fresh(await viewer.pictures(8)), woken)
        measured("sleep", f"picture {took} s after waking")
        assert took is not None
        assert took < 4


def fresh(pictures: Pictures) -> Pictures:
    """Without those that waited in the browser's sockets while it slept."""
    return [picture for picture in pictures if picture and latencies([picture])[0] < 1000]


def chromium_processes() -> list[int]:
    """Those that this process has started, and theirs."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text("utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = (int(stat.rpartition(")")[2].split()[1]), stat)

    def is_ours(pid: int) -> bool:
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, (0, ""))[0]
        return pid == os.getpid()

    return [pid for pid, (_, stat) in parents.items() if "(chrom" in stat and is_ours(pid)]


def send(processes: list[int], number: int) -> None:
    for pid in processes:
        os.kill(pid, number)


@pytest.mark.long
async def test_hidden_and_shown_it_goes_on(measured, open_page):
    async with Daemon(**SMALL) as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        await viewer.hide()
        await asyncio.sleep(15)
        await viewer.show()
        shown = int(time.time() * 1000)
        took = flows_after(await viewer.pictures(3), shown)
        peers = await viewer.evaluate("window.testPeers.length")
        measured("hidden", f"{peers} peer connection, picture {took} s after it is shown")
        assert peers == 1
        assert daemon.log.count(" joined") == 1
        assert took is not None
        assert took < 1
