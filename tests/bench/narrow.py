"""One of five viewers on a narrow network, with and without the second rendition.

Measured is what it sees, and what the others get. Needs root, for network namespaces.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from broadcaster.stream.rendition_choice import RELAPSE
from tests.bench.measurement import Options, Result
from tests.rigs.namespaces import unavailable
from tests.rigs.scene import Scene, scene
from tests.rigs.shaper import Link

RATES = {250: "", 400: "", 500: "at least 24 fps", 700: "at least 26 fps", 1000: ""}
"""Bandwidth in kbit/s, and the target with the second rendition."""
OTHERS = 4
SETTLE, RECOVER = 15.0, RELAPSE + 2
"""Seconds from a change of the bandwidth to its steady state, and at full bandwidth before the next measurement:
sooner, the next narrow network would count as a return to the full rendition that failed."""
BACK, GIVE_UP, POLL = 4000, 60.0, 0.1
"""Bandwidth in kbit/s after each narrow one, and seconds to wait for the full rendition at most, and between looks."""
WINDOW = 15
SWING, SWING_PERIOD, SWING_SECONDS = (300, 3000), 10.0, 60
"""Bandwidths in kbit/s that alternate, seconds of each, and seconds in all."""
HD = {"video__width": 1280, "video__height": 720}


@dataclass(frozen=True, slots=True)
class _Window:
    """What the slow viewer decoded, what the others received, and seconds until the full rendition was back."""

    fps: float
    freezes: int
    quality: str
    others_gaps: int
    others_kbits: float
    back: float | None = None

    def __str__(self) -> str:
        others = f"others: {self.others_gaps} gaps, {self.others_kbits:.0f} kbit/s"
        back = "" if self.back is None else f"; full size again after {self.back:.1f} s"
        return f"{self.fps:.1f} fps, {self.freezes} freezes, {self.quality}; {others}{back}"


async def measure(options: Options) -> list[Result]:
    """Narrow the network of a Chromium, camera-like 720p30 at 2.5 Mbit/s."""
    if reason := unavailable():
        return [Result("narrow network", f"not measured: {reason}")]
    results = []
    for second in ("auto", "off"):
        # Threads stay in the network namespace in which they were made, and the scene makes another one.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        async with scene(OTHERS, **HD, video__second=second) as here:
            for rate, target in RATES.items():
                window = await _narrow(here, rate, options.seconds or WINDOW)
                name = f"{rate} kbit/s, second rendition {second}"
                print(f"{name}: {window}", file=sys.stderr, flush=True)
                results.append(Result(name, str(window), target if second == "auto" else ""))
            swing = await _swing(here)
            results.append(Result(f"{SWING[0]} and {SWING[1]} kbit/s in turn, second rendition {second}", str(swing)))
    return results


async def _narrow(here: Scene, rate: int, seconds: float) -> _Window:
    here.network.set(Link(rate=rate * 1000))
    await asyncio.sleep(SETTLE)
    window = await _measure(here, asyncio.sleep(seconds), seconds)
    here.network.set(Link(rate=BACK * 1000))
    back = await _full_size_again(here)
    here.network.set(Link())
    await asyncio.sleep(RECOVER)
    return replace(window, back=back)


async def _full_size_again(here: Scene) -> float:
    """Return after how many seconds the slow viewer decodes the full size; NaN if it does not."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < GIVE_UP:
        if (await here.viewer.inbound("video"))["frameHeight"] == HD["video__height"]:
            return waited
        await asyncio.sleep(POLL)
    return math.nan


async def _swing(here: Scene) -> _Window:
    async def swing() -> None:
        for count in range(round(SWING_SECONDS / SWING_PERIOD)):
            here.network.set(Link(rate=SWING[count % 2] * 1000))
            await asyncio.sleep(SWING_PERIOD)

    return await _measure(here, swing(), SWING_SECONDS)


async def _measure(here: Scene, during: Any, seconds: float) -> _Window:
    before, gaps, received = await here.viewer.inbound("video"), _gaps(here), _received(here)
    await during
    after, stats = await here.viewer.inbound("video"), await here.stats()
    same = before["id"] == after["id"]
    frames = after["framesDecoded"] - before["framesDecoded"] if same else math.nan
    freezes = after["freezeCount"] - before["freezeCount"] if same else -1
    others = (_received(here) - received) * 8 / seconds / 1000 / OTHERS
    return _Window(frames / seconds, freezes, stats.get("quality", "?"), _gaps(here) - gaps, others)


def _gaps(here: Scene) -> int:
    return sum(other.gaps for other in here.others)


def _received(here: Scene) -> int:
    return sum(other.video_bytes for other in here.others)
