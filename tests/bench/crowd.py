"""Groups of light viewers in processes of their own: the yardstick's if it is built, otherwise our Python ones."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Protocol

from tests.bench import yardstick
from tests.bench.counting_crowd import CountingCrowd
from tests.bench.crowd_stats import CrowdStats
from tests.rigs.light_process import LightProcess
from tests.rigs.process import udp_overflows


class Crowd(Protocol):
    """An async context manager, on whose entry the viewers start to join."""

    async def __aenter__(self) -> Crowd: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def summary(self) -> CrowdStats:
        """Wait until the viewers have left, and return what they received."""


def crowd(
    port: int, viewers: int, seconds: float, interval: float = 0.01, *, light: bool = False, niceness: int = 0
) -> Crowd:
    """Let viewers join the engine on `port`, one every `interval` seconds, and stay `seconds` after the last join.

    `light` viewers only count (`counting_crowd`). Their `niceness` lets the engine go first where they need more than
    their share of the processors.
    """
    if light:
        return CountingCrowd(port, viewers, seconds, interval, niceness=niceness)
    if yardstick.program("viewers") is None:
        return PythonCrowd(port, viewers)
    return PionCrowd(viewers, seconds, interval, niceness=niceness, ws=f"ws://127.0.0.1:{port}/ws")


class PionCrowd(yardstick.Program):
    """The yardstick's viewers; they connect to the URL `ws`, or `whep` for the yardstick's own sender."""

    def __init__(
        self, viewers: int, seconds: float, interval: float = 0.01, *, niceness: int = 0, **options: str
    ) -> None:
        super().__init__(
            "viewers",
            niceness=niceness,
            n=viewers,
            seconds=math.ceil(seconds),
            every=f"{interval * 1000:g}ms",
            **options,
        )

    async def __aenter__(self) -> PionCrowd:
        self._overflows = udp_overflows()
        await super().__aenter__()
        return self

    async def summary(self) -> CrowdStats:
        result = await self.result()
        times, packets = result["first_keyframe_ms"], result["packets"].get("video", 0)
        dropped = udp_overflows() - self._overflows
        fewest, gaps, failures = result["least_video_packets"], result["gaps"], result["failures"]
        return CrowdStats(packets, fewest, gaps, dropped, times["p50"], times["p95"], failures)


class PythonCrowd(LightProcess):
    """Our own viewers, which stay until `summary` is called."""

    async def __aenter__(self) -> PythonCrowd:
        self._overflows = udp_overflows()
        await super().__aenter__()
        return self

    async def summary(self) -> CrowdStats:
        dropped = udp_overflows() - self._overflows
        received = await self.stats()
        packets: list[int] = received["packets"]
        times = sorted(1000 * seconds for seconds in received["joined"])
        middle, high = times[len(times) // 2], times[-1 - len(times) // 20]
        return CrowdStats(sum(packets), min(packets), received["gaps"], dropped, middle, high, {})
