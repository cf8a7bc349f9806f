"""Pages of another web site play by WHEP in real browsers: a plain one, and with WHEP clients from npm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, async_playwright

from tests.players.rig import FRAMES, PLAY_LIMIT, figures, install, player_page, wait_until, whep_url
from tests.rigs.browser import launch
from tests.rigs.daemon import Daemon
from tests.rigs.firefox import firefox

pytestmark = pytest.mark.long

CLIENTS = {"whip-whep": "whip-whep@1.2.0", "@binbat/whip-whep": "@binbat/whip-whep@1.1.1-sdp-trickle-throw"}
PLAYS = f"window.test.error || window.test.frames >= {FRAMES}"
HEARD = """
async () => {
  const reports = [...(await window.test.peer.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
  const audio = reports.find(({ kind }) => kind === 'audio');
  return audio?.packetsReceived > 0 && audio.totalAudioEnergy > 0;
}
"""


@contextlib.asynccontextmanager
async def playing(modules: Path | None = None, name: str = "") -> AsyncIterator[tuple[Page, Daemon]]:
    """Run a daemon, open the player in Chromium, and wait until it plays; `name` is that of a client from npm."""
    async with (
        player_page(modules) as origin,
        Daemon(web__origins=f'["{origin}"]') as daemon,
        async_playwright() as playwright,
    ):
        browser = await launch(playwright)
        page = await browser.new_page()
        module = f"&module={quote(f'/modules/{name}/whep.js')}" if name else ""
        await page.goto(f"{origin}/?whep={quote(whep_url(daemon))}{module}")
        await page.wait_for_function(PLAYS, timeout=PLAY_LIMIT * 1000)
        assert await page.evaluate("window.test.error") is None
        yield page, daemon
        await browser.close()


async def check_media(page: Page, daemon: Daemon) -> None:
    """Check picture and sound, and what the operator sees."""
    assert await page.evaluate("[...document.querySelectorAll('video')].map((v) => v.videoWidth)") == [1280]
    await page.wait_for_function(HEARD, timeout=PLAY_LIMIT * 1000)
    (viewer,) = await figures(daemon)
    assert "Chrome" in viewer["player"]
    assert viewer["connected"]


async def test_plain_page_in_chromium_plays_and_leaves() -> None:
    async with playing() as (page, daemon):
        await check_media(page, daemon)
        await page.evaluate("window.test.stop()")
        await wait_until(daemon, lambda viewers: not viewers)
        assert "the player has left" in daemon.log


async def test_page_that_vanishes_frees_its_place() -> None:
    async with playing() as (page, daemon):
        await page.context.browser.close()
        await wait_until(daemon, lambda viewers: not viewers, 15)


async def test_going_offline_ends_the_session_and_the_page_may_play_again() -> None:
    async with playing() as (page, daemon):
        await daemon.set_live(False)
        await wait_until(daemon, lambda viewers: not viewers)
        await page.reload()
        await page.wait_for_function("window.test.error")
        assert await page.evaluate("window.test.error") == "Error: 409 the stream is not live"
        await daemon.set_live(True)
        async with asyncio.timeout(PLAY_LIMIT):
            while await page.evaluate("window.test.error"):
                await page.reload()
                await page.wait_for_function(PLAYS)
        await check_media(page, daemon)


async def test_page_of_an_origin_that_is_not_allowed_gets_nothing() -> None:
    async with player_page() as origin, Daemon() as daemon, async_playwright() as playwright:
        browser = await launch(playwright)
        page = await browser.new_page()
        await page.goto(f"{origin}/?whep={quote(whep_url(daemon))}")
        await page.wait_for_function("window.test.error", timeout=PLAY_LIMIT * 1000)
        assert "Failed to fetch" in await page.evaluate("window.test.error")
        await browser.close()
        assert "is not in web.origins" in daemon.log


@pytest.mark.parametrize("name", CLIENTS)
async def test_clients_from_npm_play_in_chromium(name: str, tmp_path: Path) -> None:
    folder = await install(tmp_path, CLIENTS[name])
    async with playing(folder / "node_modules", name) as (page, daemon):
        await check_media(page, daemon)
        await page.evaluate("window.test.stop()")
        await wait_until(daemon, lambda viewers: not viewers)


async def test_firefox_plays_if_it_has_h264() -> None:
    """Stock Firefox ESR has no H.264 for WebRTC until it has downloaded its plug-in: then it is told so (406)."""
    async with (
        player_page() as origin,
        Daemon(web__origins=f'["{origin}"]') as daemon,
        firefox() as page,
    ):
        await page.open(f"{origin}/?whep={quote(whep_url(daemon))}")
        await page.until(PLAYS, PLAY_LIMIT)
        error = await page.evaluate("window.test.error")
        if error is not None:
            assert "406 no H.264" in error
            assert await figures(daemon) == []
            pytest.skip("this Firefox has no H.264 for WebRTC (its OpenH264 plug-in is missing): it was told so, 406")
        assert await page.evaluate("document.querySelector('video').videoWidth") == 1280
