"""What the page in Chromium needs until the first picture, and what it loads afterwards."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.async_api import Route, expect

from tests.rigs.browser import Viewer
from tests.rigs.daemon import Daemon
from tests.rigs.page_scripts import WITHOUT_WEBRTC

SMALL = {"video__width": 320, "video__height": 180, "video__fps": 10, "video__bitrate": 200_000}
RECORD_REQUESTS = """
{
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      window.testBefore ??= performance.getEntriesByType('resource').map(({ name }) => name);
    }
  };
}
"""
"""Records what the page requested before its first WebSocket."""


async def test_one_response_suffices_for_the_first_picture(browser):
    async with Daemon(**SMALL) as daemon:
        viewer = Viewer(await browser.new_page())
        await viewer.open(daemon.url, before=RECORD_REQUESTS)
        await viewer.state("live")
        assert await viewer.evaluate("window.testBefore") == []
        paths = [urlsplit(url).path for url in viewer.requests]
        assert paths == ["/", "/viewer/linked/interface.mjs", "/viewer/words.en.json", "/viewer/interface.css"]
        assert viewer.errors == []
        await viewer.page.context.close()


async def test_controls_that_fail_to_load_are_loaded_again(browser):
    attempts: list[str] = []

    async def fail_twice(route: Route) -> None:
        attempts.append(urlsplit(route.request.url).query)
        await (route.abort() if len(attempts) < 3 else route.continue_())

    async with Daemon(**SMALL) as daemon:
        context = await browser.new_context(locale="zh-CN")
        viewer = Viewer(await context.new_page())
        await viewer.page.route("**/linked/interface.mjs*", fail_twice)
        await viewer.open(daemon.url)
        await expect(viewer.page.locator(".pill")).to_have_text("直播")
        await viewer.state("live")
        assert attempts == ["", "1", "2"]
        assert await viewer.page.locator(".bar").get_attribute("aria-label") == "控制栏"
        await viewer.page.keyboard.press("i")
        await expect(viewer.page.locator(".stats")).to_be_visible()
        await context.close()


async def test_states_without_a_picture_are_explained(open_page):
    async with Daemon(live=False, stream__start="offline", **SMALL) as daemon:
        viewer = await open_page(daemon.url, locale="zh-CN")
        await viewer.state("standby")
        await expect(viewer.page.locator("h1")).to_be_visible()
        assert await viewer.evaluate("document.documentElement.lang") == "zh"
        assert await viewer.page.locator("h1").inner_text() == "当前没有直播。"


async def test_browser_without_any_way_is_told_so(browser):
    async with Daemon(web__media="false", **SMALL) as daemon:
        viewer = Viewer(await browser.new_page())
        await viewer.open(daemon.url, before=f"{WITHOUT_WEBRTC}delete window.MediaSource;")
        await viewer.state("unsupported")
        assert await viewer.page.locator("h1").inner_text() == "This browser can't play the stream."
        await viewer.page.context.close()
