"""Through routers that translate addresses: the viewer's, and the daemon's with and without a relay."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.rigs.browser import FLAGS, Viewer, find_chromium
from tests.rigs.daemon import Daemon
from tests.rigs.internet import Internet, why_not
from tests.rigs.namespaces import Namespace

HOST, ROUTER, VIEWER, RELAY = "203.0.113.10", "203.0.113.20", "203.0.113.30", "203.0.113.40"
PORT = 8080
SECRET = "north-wind"
SMALL = {"video__width": 640, "video__height": 360, "video__bitrate": 1_000_000, "video__test_pattern": "camera"}


@pytest.fixture
def internet():
    """A small internet, or a reason why not."""
    if reason := why_not():
        pytest.skip(reason)
    with Internet() as wire:
        yield wire


@contextlib.asynccontextmanager
async def page_of(
    daemon_at: Namespace, viewer_at: Namespace, url: str, folder: Path, **settings: object
) -> AsyncIterator[Viewer]:
    """The page at `url`, open in a browser over there."""
    async with contextlib.AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        stack.enter_context(daemon_at.inside())
        await stack.enter_async_context(Daemon(port=PORT, **(SMALL | settings)))
        wrapper = viewer_at.wrapper(find_chromium() or "chromium", folder)
        browser = await playwright.chromium.launch(executable_path=wrapper, args=FLAGS)
        stack.push_async_callback(browser.close)
        viewer = Viewer(await browser.new_page())
        await viewer.open(url)
        yield viewer


@contextlib.asynccontextmanager
async def relay_at(host: Namespace, folder: Path) -> AsyncIterator[None]:
    """Debian's coturn, with credentials made from the secret."""
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no turnserver here: apt install coturn")
    server = await asyncio.create_subprocess_exec(
        host.wrapper(program, folder),
        *("-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", f"--listening-ip={RELAY}"),
        *(f"--relay-ip={RELAY}", "--realm=example.org", "--use-auth-secret", f"--static-auth-secret={SECRET}"),
        *(f"--userdb={folder}/db", f"--pidfile={folder}/pid"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.sleep(1)
        yield
    finally:
        server.kill()
        await server.wait()


@pytest.mark.long
async def test_nat_a_viewer_behind_a_router_plays(measured, internet, tmp_path):
    here, there = internet.host(HOST), internet.home(ROUTER)
    began = time.monotonic()
    async with page_of(here, there, f"http://{HOST}:{PORT}/", tmp_path) as viewer:
        await viewer.state("live")
        took = time.monotonic() - began
        pictures = await viewer.pictures(2)
        assert len(pictures) > 30
        measured(
            "nat", f"plays, {len(pictures)} pictures in 2 s, {took:.1f} s after the daemon's and the browser's start"
        )


@pytest.mark.long
async def test_relay_a_daemon_behind_a_router_plays_through_turn(measured, internet, tmp_path):
    here, there, relay = internet.home(ROUTER, forwarded=PORT), internet.host(VIEWER), internet.host(RELAY)
    servers = {"ice__servers": f'[{{urls = ["turn:{RELAY}"]}}]', "ice__turn_secret": SECRET}
    async with (
        relay_at(relay, tmp_path),
        page_of(here, there, f"http://{ROUTER}:{PORT}/", tmp_path, **servers) as viewer,
    ):
        await viewer.state("live", limit=15)
        pictures = await viewer.pictures(2)
        assert len(pictures) > 30
        measured("relay", f"plays, {len(pictures)} pictures in 2 s")


@pytest.mark.long
async def test_noroute_the_page_says_what_is_wrong(measured, internet, tmp_path):
    here, there = internet.home(ROUTER, forwarded=PORT), internet.host(VIEWER)
    async with page_of(here, there, f"http://{ROUTER}:{PORT}/", tmp_path) as viewer:
        began = time.monotonic()
        await viewer.state("noroute", limit=45)
        took = time.monotonic() - began
        said = [await viewer.page.locator(part).inner_text() for part in ("h1", ".detail")]
        measured("noroute", f"after {took:.0f} s: “{' '.join(said)}”")
        assert "can't get through" in said[0]
        assert "TURN" in said[1]
