"""Chromium with the page, and the frames presented in it, identified by the strip of the test source."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Playwright, Request

from tests.rigs import page_scripts

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


async def launch(playwright: Playwright, *extra: str) -> Browser:
    """Return a browser with a new profile; skip the test if none is installed."""
    if find_chromium() is None:
        pytest.skip("no Chromium on this machine: sudo apt install chromium")
    return await playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS, *extra])


class Viewer:
    """A page of the daemon, open in a browser tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    async def open(self, url: str, *, watch: bool = True, before: str = "") -> None:
        """Load the page; with `watch`, read its frames, which takes processor time. `before` runs before its script."""
        await self.page.add_init_script(f"{before}({page_scripts.INSTRUMENT})()")
        await self.page.goto(url)
        if watch:
            await self.page.evaluate(page_scripts.WATCH)

    async def attribute(self, name: str) -> str | None:
        """Return an attribute of the `<live-view>` element."""
        return await self.page.locator("live-view").get_attribute(name)

    async def state(self, *expected: str, limit: float = 20.0) -> None:
        """Wait until the page is in one of these states, and has its controls."""
        selector = ", ".join(f'live-view[data-state="{state}"]' for state in expected)
        await self.page.wait_for_selector(selector, state="attached", timeout=limit * 1000)
        controls = 'live-view:not([data-controls="none"])'
        await self.page.wait_for_selector(controls, state="attached", timeout=limit * 1000)

    async def states(self) -> list[tuple[str, float]]:
        """Return the states that the page has been in, with their start (Unix seconds)."""
        states = "window.testStates.map(({ state, at }) => [state, (performance.timeOrigin + at) / 1000])"
        return [(state, since) for state, since in await self.page.evaluate(states)]

    async def attempts(self) -> list[float]:
        """Return when the page has tried to open a WebSocket (Unix seconds)."""
        script = "window.testAttempts.map((at) => (performance.timeOrigin + at) / 1000)"
        attempts: list[float] = await self.page.evaluate(script)
        return attempts

    async def pictures(self, seconds: float) -> list[list[int] | None]:
        """Return the frames presented within the next seconds."""
        await self.page.evaluate(page_scripts.TAKE)
        await self.page.wait_for_timeout(seconds * 1000)
        presented: list[list[int] | None] = await self.page.evaluate(page_scripts.TAKE)
        return presented

    async def wait_for_frames(self, count: int, limit: float = 20.0) -> list[list[int]]:
        """Return the next frames, once `count` readable ones were presented."""
        await self.page.evaluate(page_scripts.TAKE)
        readable = "window.testPictures.filter(Boolean)"
        await self.page.wait_for_function(f"() => {readable}.length >= {count}", timeout=limit * 1000)
        frames: list[list[int]] = await self.page.evaluate(f"() => {readable}")
        return frames

    async def until_size(self, width: int, height: int, limit: float = 10.0) -> None:
        """Wait until a frame of this size is presented."""
        newest = "window.testFrames.at(-1)"
        condition = f"() => {newest}?.width === {width} && {newest}.height === {height}"
        await self.page.wait_for_function(condition, timeout=limit * 1000)

    async def presented_count(self) -> int:
        """Return the number of frames presented so far."""
        return int(await self.page.evaluate("window.testPictureCount"))

    async def inbound(self, kind: str) -> dict[str, Any]:
        """Return `RTCInboundRtpStreamStats` of the newest peer connection."""
        reports: list[dict[str, Any]] = await self.page.evaluate(page_scripts.INBOUND)
        return next(report for report in reversed(reports) if report["kind"] == kind)

    async def loudness(self) -> list[float]:
        """Return the peaks of the left and the right channel in the last 40 ms, as fractions of full scale."""
        peaks: list[float] = await self.page.evaluate(page_scripts.LOUDNESS)
        return peaks

    async def plays_sound(self, limit: float = 10.0) -> None:
        """Turn the sound on, as a user does, and wait until the video element plays some."""
        await self.page.keyboard.press("m")
        async with asyncio.timeout(limit):
            while not await self.page.evaluate(page_scripts.PEAK) > 0.01:
                pass

    async def hide(self) -> None:
        """Make the page believe that its tab is in the background."""
        await self.page.evaluate(page_scripts.SHOW.format(hidden="true", state="hidden"))

    async def show(self) -> None:
        """Make the page believe that its tab is in the foreground."""
        await self.page.evaluate(page_scripts.SHOW.format(hidden="false", state="visible"))

    async def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return await self.page.evaluate(script)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)


def latencies(pictures: list[list[int] | None]) -> list[int]:
    """Return the time in ms from capture to presentation of each readable frame; both clocks are this machine's."""
    return [(at - captured) % (1 << 20) for picture in pictures if picture for at, _, captured in [picture]]


def missing(pictures: list[list[int] | None]) -> int:
    """Return the number of frames missing between the first and the last readable one."""
    numbers = [picture[1] for picture in pictures if picture]
    steps = [(b - a) % (1 << 16) for a, b in itertools.pairwise(numbers)]
    return sum(step - 1 for step in steps if step)
