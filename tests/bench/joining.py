"""Time until a new viewer sees the first frame."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, async_playwright

from tests.bench.crowd import crowd
from tests.bench.measurement import Options, Result, median, percentile
from tests.rigs.browser import launch
from tests.rigs.daemon import Daemon, free_port
from tests.rigs.light import LightViewer

RUNS = 20
WARM_UP = 2
"""Loads of each page that do not count: the first ones of a browser are slower."""
PRESENT = 20
SETTLE = 2.0
TAB_SETTLE = 300
"""Milliseconds from the opening of a tab until it loads a page: opening it takes the browser's time, too."""
LIMIT = 60.0
MAX_STAY = 120.0
"""Seconds for which the viewers already present stay at most."""
PAGE_LIMIT = 1.15
"""The page may take this much longer than the bare one."""

BARE_PAGE = Path(__file__).with_name("bare.html").read_text("utf-8")

INSTRUMENT = """
{
  const requests = () => performance.getEntriesByType('resource').length;
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      window.testSocket ??= { at: performance.now(), requests: requests() };
    }
  };
  let presented;
  window.testFirstFrame = new Promise((done) => (presented = done));
  const prototype = HTMLVideoElement.prototype, request = prototype.requestVideoFrameCallback;
  prototype.requestVideoFrameCallback = function (callback) {
    return request.call(this, (...args) => {
      presented(performance.now());
      callback(...args);
    });
  };
}
"""
"""Records when the page opened its WebSocket, after how many requests, and when the first frame was presented."""


@dataclass(frozen=True, slots=True)
class Times:
    """What the loads of one page took, in milliseconds since navigation began."""

    url: str
    socket: list[float] = field(default_factory=list)
    frame: list[float] = field(default_factory=list)
    script: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)


async def measure(options: Options) -> list[Result]:
    """Join with a browser alone, and with a light viewer while others watch."""
    return [*await _browser(options.rounds or RUNS), await _light()]


async def _browser(rounds: int) -> list[Result]:
    """Open the page and the bare page in turn; each run uses a new browser profile, so that nothing is cached."""
    port = free_port()
    async with (
        Daemon(web__origins=f'["http://127.0.0.1:{port}"]') as daemon,
        _served(BARE_PAGE, port) as bare_url,
        async_playwright() as playwright,
    ):
        browser = await launch(playwright)
        page = Times(daemon.url)
        bare = Times(f"{bare_url}?daemon={daemon.url.replace('http', 'ws')}ws")
        for run in range(-WARM_UP, rounds):
            for times in (page, bare):
                await _join(browser, times, counts=run >= 0)
        await browser.close()
    return _results(page, bare)


async def _join(browser: Browser, times: Times, *, counts: bool) -> None:
    context = await browser.new_context()
    tab = await context.new_page()
    await tab.add_init_script(INSTRUMENT)
    await tab.wait_for_timeout(TAB_SETTLE)
    await tab.goto(times.url, wait_until="commit")
    async with asyncio.timeout(LIMIT):
        frame = await tab.evaluate("window.testFirstFrame")
    socket = await tab.evaluate("window.testSocket")
    join = await tab.evaluate("document.querySelector('live-view')?.dataset.joinMs")
    if counts:
        times.frame.append(frame)
        times.script.append(float(join or "nan"))
        times.socket.append(socket["at"])
        times.requests.append(socket["requests"])
    await context.close()


def _results(page: Times, bare: Times) -> list[Result]:
    ratio = statistics.median(page.frame) / statistics.median(bare.frame)
    return [
        median("page opened to WebSocket", page.socket, "ms"),
        median("  bare page", bare.socket, "ms"),
        median("page opened to first presented frame", page.frame, "ms"),
        median("  bare page", bare.frame, "ms"),
        Result("  ratio of the medians", f"{ratio:.2f}", f"at most {PAGE_LIMIT}"),
        median("page script to first presented frame", page.script, "ms", "under 120 ms"),
        Result("requests before the WebSocket, besides the page", f"{max(page.requests)}", "0"),
    ]


@asynccontextmanager
async def _served(page: str, port: int) -> AsyncIterator[str]:
    """Serve one page, and yield its address."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/"
    await runner.cleanup()


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
