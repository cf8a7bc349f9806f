"""Viewer and daemon behind NAT routers, with and without a TURN relay."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.rigs import coturn
from tests.rigs.browser import FLAGS, Viewer, find_chromium
from tests.rigs.daemon import Daemon
from tests.rigs.internet import Internet, unavailable
from tests.rigs.namespaces import Namespace

HOST, ROUTER, VIEWER, RELAY = "203.0.113.10", "203.0.113.20", "203.0.113.30", "203.0.113.40"
PORT = 8080
SMALL = {"video__width": 640, "video__height": 360, "video__bitrate": 1_000_000, "video__test_pattern": "camera"}


@pytest.fixture
def internet():
    """A small internet; skips the test if this machine cannot provide one."""
    if reason := unavailable():
        pytest.skip(reason)
    with Internet() as network:
        yield network


@contextlib.asynccontextmanager
async def open_page_in(
    daemon_host: Namespace, viewer_host: Namespace, url: str, folder: Path, **settings: object
) -> AsyncIterator[Viewer]:
    """Run the daemon on one host, and open the page in a browser on the other."""
    async with contextlib.AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        stack.enter_context(daemon_host.inside())
        await stack.enter_async_context(Daemon(port=PORT, **(SMALL | settings)))
        wrapper = viewer_host.wrapper(find_chromium() or "chromium", folder)
        browser = await playwright.chromium.launch(executable_path=wrapper, args=FLAGS)
        stack.push_async_callback(browser.close)
        viewer = Viewer(await browser.new_page())
        await viewer.open(url)
        yield viewer


@pytest.mark.long
async def test_nat_viewer_behind_a_router_plays(record, internet, tmp_path):
    daemon_host, viewer_host = internet.host(HOST), internet.behind_router(ROUTER)
    began = time.monotonic()
    async with open_page_in(daemon_host, viewer_host, f"http://{HOST}:{PORT}/", tmp_path) as viewer:
        await viewer.state("live")
        took = time.monotonic() - began
        frames = await viewer.pictures(2)
        assert len(frames) > 30
        record("nat", f"plays, {len(frames)} frames in 2 s, {took:.1f} s after the start of daemon and browser")


@pytest.mark.long
@pytest.mark.skipif(coturn.unavailable() is not None, reason=str(coturn.unavailable()))
async def test_turn_daemon_behind_a_router_plays_through_turn(record, internet, tmp_path):
    daemon_host, viewer_host, relay = (
        internet.behind_router(ROUTER, forwarded=PORT),
        internet.host(VIEWER),
        internet.host(RELAY),
    )
    servers = {"ice__servers": f'[{{urls = ["turn:{RELAY}"]}}]', "ice__turn_secret": coturn.SECRET}
    async with (
        coturn.coturn([RELAY], host=relay),
        open_page_in(daemon_host, viewer_host, f"http://{ROUTER}:{PORT}/", tmp_path, **servers) as viewer,
    ):
        await viewer.state("live", limit=15)
        frames = await viewer.pictures(2)
        assert len(frames) > 30
        record("turn", f"plays, {len(frames)} frames in 2 s")


@pytest.mark.long
async def test_no_turn_daemon_behind_a_router_plays_over_the_web(record, internet, tmp_path):
    daemon_host, viewer_host = internet.behind_router(ROUTER, forwarded=PORT), internet.host(VIEWER)
    async with open_page_in(daemon_host, viewer_host, f"http://{ROUTER}:{PORT}/", tmp_path) as viewer:
        await viewer.state("live", limit=15)
        took = float(await viewer.attribute("data-join-ms") or "nan") / 1000
        frames = await viewer.pictures(2)
        assert len(frames) > 10
        assert await viewer.attribute("data-transport") == "web"
        record("no-turn", f"plays after {took:.1f} s, {len(frames)} frames in 2 s")


@pytest.mark.long
async def test_no_route_page_explains_the_problem(record, internet, tmp_path):
    daemon_host, viewer_host = internet.behind_router(ROUTER, forwarded=PORT), internet.host(VIEWER)
    url, off = f"http://{ROUTER}:{PORT}/", {"web__media": "false"}
    async with open_page_in(daemon_host, viewer_host, url, tmp_path, **off) as viewer:
        began = time.monotonic()
        await viewer.state("noroute", limit=45)
        took = time.monotonic() - began
        texts = [await viewer.page.locator(part).inner_text() for part in ("h1", ".detail")]
        record("no-route", f"after {took:.0f} s: “{' '.join(texts)}”")
        assert "can't get through" in texts[0]
        assert "TURN" in texts[1]
