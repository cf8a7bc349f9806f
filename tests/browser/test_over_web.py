"""The stream over the web (`/media`), where WebRTC does not work: picture and sound in Chromium and Firefox."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.rigs import page_scripts
from tests.rigs.browser import Viewer, latencies, launch
from tests.rigs.buffering_proxy import BufferingProxy
from tests.rigs.cuttable import Cuttable
from tests.rigs.daemon import Daemon
from tests.rigs.firefox import firefox
from tests.rigs.path_proxy import PathProxy

WITHOUT_UDP = [f"--{name}webrtc-ip-handling-policy=disable_non_proxied_udp" for name in ("", "force-")]
"""Older versions of Chromium have the second name only."""
JOIN_LIMIT = 4000
"""Milliseconds."""
LATENCY_LIMIT = 500
"""Milliseconds; twice what is required on an idle machine, which `tests/faults` demands."""
SMALL = {"video__width": 640, "video__height": 360, "video__bitrate": 800_000}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def udp_less_browser() -> AsyncIterator[Browser]:
    """A Chromium that sends no UDP, as behind a firewall that lets only web pages through."""
    async with async_playwright() as playwright:
        browser = await launch(playwright, *WITHOUT_UDP)
        yield browser
        await browser.close()


async def open_without_udp(browser: Browser, url: str) -> Viewer:
    viewer = Viewer(await (await browser.new_context()).new_page())
    await viewer.open(url)
    return viewer


async def route(viewer: Viewer) -> str:
    """Return the route that the statistics show."""
    await viewer.page.wait_for_function("() => document.querySelector('live-view').viewer.view.stats")
    return await viewer.page.locator("dt:text-is('Route') + dd").inner_text()


async def test_picture_and_sound_without_udp(udp_less_browser, record_property):
    async with Daemon(**SMALL) as daemon:
        viewer = await open_without_udp(udp_less_browser, f"{daemon.url}?stats=1")
        await viewer.state("live")
        join = float(await viewer.attribute("data-join-ms") or "nan")
        assert await viewer.attribute("data-transport") == "web"
        assert await route(viewer) == "over the web (TCP)"
        await viewer.wait_for_frames(30)
        measured = latencies(await viewer.pictures(3))
        shown = float(await viewer.attribute("data-latency-ms") or "nan")
        latency = statistics.median(measured)
        record_property("join_ms", join)
        record_property("latency_ms", latency)
        await viewer.plays_sound()
        assert (await viewer.attribute("data-sound")) == "on"
        assert join < JOIN_LIMIT
        assert latency < LATENCY_LIMIT
        assert min(measured) - 50 < shown < max(measured) + 50
        assert viewer.errors == []


async def test_browser_without_webrtc_plays_at_once(browser, record_property):
    async with Daemon(**SMALL) as daemon:
        viewer = Viewer(await (await browser.new_context()).new_page())
        await viewer.open(daemon.url, before=page_scripts.WITHOUT_WEBRTC)
        await viewer.state("live")
        join = float(await viewer.attribute("data-join-ms") or "nan")
        record_property("join_ms", join)
        await viewer.plays_sound()
        assert join < JOIN_LIMIT
        assert viewer.errors == []
        await viewer.page.context.close()


async def test_below_a_path_and_without_audio(udp_less_browser):
    async with Daemon(audio__source="none", **SMALL) as daemon, PathProxy(daemon.port, "/home/cam") as proxy:
        viewer = await open_without_udp(udp_less_browser, proxy.url)
        await viewer.state("live")
        assert await viewer.attribute("data-transport") == "web"
        assert await viewer.wait_for_frames(30)
        assert await viewer.attribute("data-sound") == "none"
        async with viewer.page.expect_download() as saved:
            await viewer.page.keyboard.press("s")
        assert (await saved.value).suggested_filename.endswith(".png"), "a snapshot"
        assert viewer.errors == []


async def test_quality_is_chosen_in_the_same_media_source(udp_less_browser):
    async with Daemon(video__fps=15) as daemon:
        viewer = await open_without_udp(udp_less_browser, daemon.url)
        await viewer.state("live")
        source = await viewer.evaluate("document.querySelector('video').src")
        for quality, size in (("small", (640, 360)), ("full", (1280, 720))):
            await viewer.page.get_by_role("combobox", name="Quality").select_option(quality)
            await viewer.until_size(*size, limit=20)
        assert await viewer.evaluate("document.querySelector('video').src") == source
        assert await viewer.attribute("data-transport") == "web"
        assert viewer.errors == []


async def test_through_a_proxy_that_buffers(udp_less_browser):
    async with Daemon(**SMALL) as daemon, BufferingProxy(daemon.port) as proxy:
        viewer = await open_without_udp(udp_less_browser, proxy.url)
        await viewer.state("live")
        proxy.rate = 300_000
        await viewer.pictures(4)
        proxy.rate = math.inf
        async with asyncio.timeout(30):
            while not statistics.median(latencies(await viewer.wait_for_frames(10))) < LATENCY_LIMIT:
                pass
        assert await viewer.attribute("data-transport") == "web"
        assert viewer.errors == []


async def test_noroute_only_if_the_web_is_closed_too(udp_less_browser):
    async with Daemon(web__media="false", **SMALL) as daemon:
        viewer = await open_without_udp(udp_less_browser, daemon.url)
        await viewer.state("noroute")


async def test_browser_without_webrtc_is_unsupported_if_the_web_is_closed(browser):
    async with Daemon(web__media="false", **SMALL) as daemon:
        viewer = Viewer(await (await browser.new_context()).new_page())
        await viewer.open(daemon.url, before=page_scripts.WITHOUT_WEBRTC)
        await viewer.state("unsupported")
        assert "WebRTC" in await viewer.page.locator(".detail").inner_text()
        await viewer.page.context.close()


async def test_stream_over_the_web_stops_starts_pauses_and_reconnects(udp_less_browser):
    async with Daemon(**SMALL) as daemon, Cuttable(daemon.port) as proxy:
        viewer = await open_without_udp(udp_less_browser, proxy.url)
        await viewer.state("live")
        await daemon.set_live(False)
        await viewer.state("standby")
        await daemon.set_live(True)
        await viewer.state("live")
        await viewer.page.keyboard.press("k")
        await viewer.state("blocked")
        shown = await viewer.presented_count()
        await viewer.page.wait_for_timeout(1000)
        assert await viewer.presented_count() - shown < 3, "paused"
        await viewer.page.keyboard.press("k")
        await viewer.state("live")
        await viewer.wait_for_frames(10)
        proxy.cut()
        await viewer.wait_for_frames(30, limit=40)  # far more than was buffered
        await viewer.state("live")
        assert await viewer.attribute("data-transport") == "web"
        assert viewer.errors == []


async def test_stock_firefox_plays_picture_and_sound(record_property):
    async with Daemon(**SMALL) as daemon, firefox() as page:
        await page.open(daemon.url)
        view = "document.querySelector('live-view')"
        await page.until(f"{view}.dataset.state === 'live'")
        await page.until("window.testPictures.filter(Boolean).length > 60")
        frames = await page.evaluate("JSON.stringify(window.testPictures.slice(-30))")
        record_property("latency_ms", statistics.median(latencies(json.loads(frames))))
        record_property("join_ms", await page.evaluate(f"{view}.dataset.joinMs"))
        await page.press("m")
        await page.until(f"{view}.dataset.sound === 'on'")
        await page.until(f"await {page_scripts.PEAK.strip()} > 0.01")
        assert await page.evaluate(f"{view}.dataset.transport") == "web", "it has no H.264 for WebRTC"
