"""Chromium with the page, and the frames presented in it, identified by the strip of the test source."""

from __future__ import annotations

import itertools
import shutil
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Playwright, Request

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


# Reads the strip of each presented frame: 40 cells along the bottom edge, see the README of the test source.
# Each entry is [presented at (Unix ms), frame number mod 2^16, capture time (Unix ms mod 2^20)], or null for
# a frame whose strip could not be read. The time is taken before the pixels are read, which takes milliseconds.
# `testFrames` has the metadata of each frame.
_WATCH = """
() => {
  const videos = (root) => [...root.querySelectorAll('*')].flatMap((element) =>
    [...(element.tagName === 'VIDEO' ? [element] : []), ...(element.shadowRoot ? videos(element.shadowRoot) : [])]);
  const CELLS = 40, canvas = new OffscreenCanvas(CELLS * 8, 8);
  const draw = canvas.getContext('2d', { willReadFrequently: true });
  const number = (bits) => bits.reduce((sum, bit) => sum * 2 + bit, 0);
  const read = (video) => {
    const height = video.videoHeight / 18;
    draw.drawImage(video, 0, video.videoHeight - height, video.videoWidth, height, 0, 0, CELLS * 8, 8);
    const pixels = draw.getImageData(0, 4, CELLS * 8, 1).data;
    const bits = Array.from({ length: CELLS }, (_, cell) => (pixels[(cell * 8 + 4) * 4 + 1] > 127 ? 1 : 0));
    const parity = bits.slice(2, 38).reduce((sum, bit) => sum ^ bit, 0);
    const good = bits[0] === 1 && bits[1] === 0 && bits[38] === parity && bits[39] === 1 - bits[38];
    return good ? [number(bits.slice(2, 18)), number(bits.slice(18, 38))] : null;
  };
  window.testPictures = [];
  window.testPictureCount = 0;
  window.testFrames = [];
  const watched = new WeakSet();
  const watch = (video) => {
    watched.add(video);
    const presented = (_, { rtpTimestamp, presentedFrames, width, height }) => {
      const at = Date.now(), strip = read(video);
      window.testFrames.push({ at, rtpTimestamp, presentedFrames, width, height, number: strip && strip[0] });
      window.testPictures.push(strip && [at, ...strip]);
      window.testPictureCount += 1;
      video.requestVideoFrameCallback(presented);
    };
    video.requestVideoFrameCallback(presented);
  };
  const watchNew = () => videos(document).filter((video) => !watched.has(video)).forEach(watch);
  watchNew();
  setInterval(watchNew, 50);
}
"""

# Runs before the page's own script: records the peer connections, and the times of the first presented frame, of
# each change of `data-state` and of each attempt to open a WebSocket.
_INSTRUMENT = """
() => {
  window.testPeers = [];
  window.testStates = [];
  window.testFirstPicture = null;
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) { super(...args); window.testPeers.push(this); }
  };
  window.testAttempts = [];
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) { super(...args); window.testAttempts.push(performance.now()); }
  };
  const video = HTMLVideoElement.prototype, request = video.requestVideoFrameCallback;
  video.requestVideoFrameCallback = function (callback) {
    return request.call(this, (...args) => {
      window.testFirstPicture ??= performance.now();
      callback(...args);
    });
  };
  const record = () => {
    const state = document.querySelector('live-view')?.getAttribute('data-state');
    if (state && state !== window.testStates.at(-1)?.state) window.testStates.push({ state, at: performance.now() });
  };
  new MutationObserver(record).observe(document, { subtree: true, childList: true, attributeFilter: ['data-state'] });
}
"""

_INBOUND = """
async () => {
  const inbound = [];
  for (const peer of window.testPeers)
    for (const report of (await peer.getStats()).values()) if (report.type === 'inbound-rtp') inbound.push(report);
  return inbound;
}
"""

# The peaks of both channels of the newest peer connection's audio over the last 40 ms. Chromium decodes a remote track
# only while an element plays it, as the page's video element does.
_LOUDNESS = """
async () => {
  if (!window.testMeters) {
    const receivers = window.testPeers.at(-1).getReceivers();
    const track = receivers.map((receiver) => receiver.track).find((track) => track.kind === 'audio');
    const context = new AudioContext(), splitter = context.createChannelSplitter(2);
    context.createMediaStreamSource(new MediaStream([track])).connect(splitter);
    window.testMeters = [0, 1].map((channel) => {
      const meter = context.createAnalyser();
      splitter.connect(meter, channel);
      return meter;
    });
    await context.resume();
  }
  return window.testMeters.map((meter) => {
    const samples = new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(samples);
    return Math.max(...samples.map(Math.abs));
  });
}
"""

# Playwright keeps every page in the foreground, so hiding is simulated within the page.
_SHOW = """
() => {{
  Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }});
  Object.defineProperty(document, 'visibilityState', {{ value: '{state}', configurable: true }});
  document.dispatchEvent(new Event('visibilitychange'));
}}
"""

_TAKE = "() => window.testPictures.splice(0)"


class Viewer:
    """A page of the daemon, open in a browser tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    async def open(self, url: str, *, watch: bool = True) -> None:
        """Load the page; with `watch`, read its frames, which takes processor time."""
        await self.page.add_init_script(f"({_INSTRUMENT})()")
        await self.page.goto(url)
        if watch:
            await self.page.evaluate(_WATCH)

    async def attribute(self, name: str) -> str | None:
        """Return an attribute of the `<live-view>` element."""
        return await self.page.locator("live-view").get_attribute(name)

    async def state(self, *expected: str, limit: float = 20.0) -> None:
        """Wait until the page is in one of these states."""
        selector = ", ".join(f'live-view[data-state="{state}"]' for state in expected)
        await self.page.wait_for_selector(selector, state="attached", timeout=limit * 1000)

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
        await self.page.evaluate(_TAKE)
        await self.page.wait_for_timeout(seconds * 1000)
        presented: list[list[int] | None] = await self.page.evaluate(_TAKE)
        return presented

    async def wait_for_frames(self, count: int, limit: float = 20.0) -> list[list[int]]:
        """Return the next frames, once `count` readable ones were presented."""
        await self.page.evaluate(_TAKE)
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
        reports: list[dict[str, Any]] = await self.page.evaluate(_INBOUND)
        return next(report for report in reversed(reports) if report["kind"] == kind)

    async def loudness(self) -> list[float]:
        """Return the peaks of the left and the right channel in the last 40 ms, as fractions of full scale."""
        peaks: list[float] = await self.page.evaluate(_LOUDNESS)
        return peaks

    async def hide(self) -> None:
        """Make the page believe that its tab is in the background."""
        await self.page.evaluate(_SHOW.format(hidden="true", state="hidden"))

    async def show(self) -> None:
        """Make the page believe that its tab is in the foreground."""
        await self.page.evaluate(_SHOW.format(hidden="false", state="visible"))

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
