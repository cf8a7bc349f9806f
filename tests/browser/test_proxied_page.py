"""The page in Chromium behind a reverse proxy: below a path, and with a `Host` that the proxy changes."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.rigs.browser import latencies
from tests.rigs.daemon import Daemon
from tests.rigs.path_proxy import PathProxy

SMALL = {"video__width": 320, "video__height": 180, "video__fps": 10, "video__bitrate": 200_000}


async def test_page_plays_below_a_path(open_page):
    async with Daemon(**SMALL) as daemon, PathProxy(daemon.port, "/home/cam") as proxy:
        viewer = await open_page(f"{proxy.url}?stats=1")
        await viewer.state("live")
        assert latencies(await viewer.wait_for_frames(5))
        assert viewer.errors == []
        paths = [urlsplit(url).path for url in viewer.requests if url.startswith("http")]
        assert all(path.startswith("/home/cam/") for path in paths), paths


async def test_link_below_a_path_opens_the_page_and_is_removed_from_the_address_bar(open_page):
    token = "a-token-that-nobody-guesses"
    async with Daemon(web__viewer_token=token, **SMALL) as daemon, PathProxy(daemon.port, "/cam") as proxy:
        viewer = await open_page(f"{proxy.url}#t={token}")
        await viewer.state("live")
        assert viewer.page.url == proxy.url
        await viewer.page.reload()
        await viewer.state("live")


async def test_refused_address_is_shown_and_recovers(open_page):
    async with Daemon(**SMALL) as daemon, PathProxy(daemon.port, host="127.0.0.1") as proxy:
        viewer = await open_page(proxy.url)
        await viewer.state("refused")
        origin = proxy.url.removesuffix("/")
        detail = await viewer.page.locator(".detail").inner_text()
        assert origin in detail
        assert "web.origins" in detail
        assert "a reverse proxy must pass Host on with its port" in daemon.log
        proxy.host = None
        await viewer.page.get_by_role("button", name="Try now").click()
        await viewer.state("live")
