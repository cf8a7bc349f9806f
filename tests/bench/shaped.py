"""A browser behind a bad link: loss, a narrow place, a fall of the bandwidth; and others who must not notice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpReceiverInfo, RtcpRrPacket, RtpPacket, pack_remb_fci
from playwright.async_api import async_playwright

from tests.bench.figures import Figure
from tests.bench.options import Options
from tests.rigs.browser import FLAGS, Viewer, find_chromium
from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer
from tests.rigs.namespaces import why_not
from tests.rigs.shaper import FAR, NEAR, Link, Shaper, shaped

SETTINGS = {"video__width": 640, "video__height": 360, "video__bitrate": 2_500_000}
LOSSES = (0.05, 0.1, 0.2)
NARROW, WIDE, FALLEN = Link(rate=200_000), Link(rate=4_000_000), Link(rate=500_000)
FULL_FLOW = 10
"""Pictures one after the other, none later than `STEP` ms after the one before: it flows again."""
STEP = 250
Pictures = list[list[int] | None]


class HealthyViewer(LightViewer):
    """Says once a second that nothing is lost and that its network carries plenty, as browsers do."""

    def _count_packets(self, transceiver: Any) -> None:
        super()._count_packets(transceiver)
        if transceiver.kind == "video":
            self._transport = transceiver.receiver.transport
            self._saying: asyncio.Task[None] | None = None

    def _count(self, packet: RtpPacket) -> None:
        super()._count(packet)
        if self._saying is None:
            self._saying = asyncio.create_task(self._say(packet.ssrc))

    async def _say(self, ssrc: int) -> None:
        block = RtcpReceiverInfo(ssrc, fraction_lost=0, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0)
        plenty = RtcpPsfbPacket(RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=pack_remb_fci(10_000_000, [ssrc]))
        with contextlib.suppress(ConnectionError):  # it ends with the connection
            while True:
                await self._transport._send_rtp(bytes(RtcpRrPacket(ssrc=1, reports=[block])) + bytes(plenty))
                await asyncio.sleep(1)

    async def leave(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
        await super().leave()


@dataclass(slots=True)
class Scene:
    """A browser behind the link, and viewers beside the daemon."""

    network: Shaper
    daemon: Daemon
    viewer: Viewer
    others: list[HealthyViewer]

    async def during(self, link: Link, seconds: float) -> tuple[Pictures, dict[str, float]]:
        """Pictures that are presented meanwhile, and by how much the browser's figures of its video grow."""
        self.network.set(link)
        before = await self.viewer.inbound("video")
        pictures = await self.viewer.pictures(seconds)
        after = await self.viewer.inbound("video")
        numbers = {name: value for name, value in after.items() if isinstance(value, int | float)}
        return pictures, {name: value - before.get(name, 0) for name, value in numbers.items()}

    async def figures(self) -> dict[str, Any]:
        """What the daemon knows of the browser's peer connection."""
        status: Any = await self.daemon.status()
        peers = [one["peers"][-1] for one in status["viewer_figures"] if one["address"] == FAR and one["peers"]]
        return peers[-1] if peers else {}

    def gaps(self) -> Figure:
        return Figure("  gaps at others", f"{sum(one.gaps for one in self.others)}, {len(self.others)} others", "none")


@contextlib.asynccontextmanager
async def _scene(others: int) -> AsyncIterator[Scene]:
    async with contextlib.AsyncExitStack() as stack:
        network = await stack.enter_async_context(shaped())
        playwright = await stack.enter_async_context(async_playwright())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(network.near.inside())
        daemon = await stack.enter_async_context(Daemon(**SETTINGS))
        healthy = [await stack.enter_async_context(HealthyViewer(daemon.port)) for _ in range(others)]
        await asyncio.gather(*(one.keyframe() for one in healthy))
        wrapper = network.far.wrapper(find_chromium() or "chromium", folder)
        browser = await playwright.chromium.launch(executable_path=wrapper, args=FLAGS)
        stack.push_async_callback(browser.close)
        viewer = Viewer(await browser.new_page())
        await viewer.open(f"http://{NEAR}:{daemon.port}/")
        await viewer.state("live")
        await viewer.pictures(6)  # until there is a REMB
        yield Scene(network, daemon, viewer, healthy)


async def measure(options: Options) -> list[Figure]:
    """Loss, a narrow place among healthy viewers, a fall of the bandwidth for the only viewer."""
    if reason := why_not():
        return [Figure("a browser behind a bad link", f"not measured: {reason}")]
    # Each on a loop of its own: worker threads stay in the namespace in which they began.
    parts = [await asyncio.to_thread(asyncio.run, part()) for part in (_loss, _narrow, _fall)]
    return [figure for part in parts for figure in part]


async def _loss() -> list[Figure]:
    found: list[Figure] = []
    async with _scene(others=1) as scene:
        for loss in LOSSES:
            seconds = 12
            pictures, grown = await scene.during(Link(loss=loss), seconds)
            await scene.during(Link(), 2)
            missing = 1 - grown["framesDecoded"] / max(1, _span(pictures))
            frozen = grown["totalFreezesDuration"] / seconds
            value = f"{max(0, missing) * 100:.1f} % of pictures never decoded, frozen {frozen * 100:.1f} % of the time"
            found.append(Figure(f"{loss * 100:.0f} % loss both ways, after RTX", value, _TARGETS[loss]))
        found.append(scene.gaps())
    return found


_TARGETS = {0.05: "under 0.2 %, frozen at most 1 %", 0.1: "frozen at most 5 %", 0.2: "frozen at most 20 %"}


async def _narrow() -> list[Figure]:
    async with _scene(others=3) as scene:
        slow, _ = await scene.during(NARROW, 15)
        released = await scene.viewer.evaluate("Date.now()")
        after, _ = await scene.during(Link(), 6)
        unreadable = sum(picture is None for picture in slow + after)
        value = f"{len(slow)} pictures in 15 s, {unreadable} broken, {_backwards(slow + after)} out of order"
        return [
            Figure("one viewer held to 200 kbit/s", value, "none broken"),
            Figure("  flows again after the limit's end", _flows_again(after, released), "within 2 s"),
            scene.gaps(),
        ]


async def _fall() -> list[Figure]:
    async with _scene(others=0) as scene:
        await scene.during(WIDE, 3)
        trips: list[float] = []
        down = await _until(scene, FALLEN, lambda rate: rate < 550_000, 15, trips)
        await asyncio.sleep(8)
        up = await _until(scene, WIDE, lambda rate: rate > 0.8 * 2_500_000, 60, trips)
        return [
            Figure("the only viewer's link falls from 4 Mbit/s to 500 kbit/s: sent at most that after", down, "3 s"),
            Figure("  and back: 0.8 of the rate is sent after", up, "40 s"),
            Figure("  longest round trip", f"{max(trips, default=0) * 1000:.0f} ms", "under 800 ms"),
        ]


async def _until(scene: Scene, link: Link, is_so: Any, limit: float, trips: list[float]) -> str:
    """Seconds until what is sent to the browser, measured over a second, is as it should be."""
    loop = asyncio.get_running_loop()
    scene.network.set(link)
    began, before = loop.time(), await scene.figures()
    while loop.time() - began < limit:
        await asyncio.sleep(1)
        now = await scene.figures()
        trips.append(now.get("round_trip") or 0.0)
        if before and now and is_so((now["bytes_sent"] - before["bytes_sent"]) * 8):
            return f"{loop.time() - began:.0f} s"
        before = now
    return f"not within {limit:.0f} s"


def _span(pictures: Pictures) -> int:
    """How many pictures were made from the first to the last that was presented."""
    numbers = [picture[1] for picture in pictures if picture]
    return (numbers[-1] - numbers[0]) % (1 << 16) + 1 if numbers else 0


def _backwards(pictures: Pictures) -> int:
    numbers = [picture[1] for picture in pictures if picture]
    return sum((b - a) % (1 << 16) >= 1 << 15 for a, b in itertools.pairwise(numbers))


def _flows_again(pictures: Pictures, released: int) -> str:
    """When the first of `FULL_FLOW` pictures without a pause was presented."""
    times = [picture[0] for picture in pictures if picture]
    for index in range(len(times) - FULL_FLOW):
        if all(b - a < STEP for a, b in itertools.pairwise(times[index : index + FULL_FLOW])):
            return f"{times[index] - released} ms"
    return "not at all"
