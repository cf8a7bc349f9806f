"""Viewers who join and leave at random for minutes: memory must level out, and nothing may be left behind."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.bench.figures import Figure
from tests.bench.measured import Measured
from tests.bench.options import Options
from tests.bench.pictures import SMALL
from tests.rigs.light import LightViewer
from tests.rigs.process import overflows

LONGEST_STAY = 20.0
SAMPLE_INTERVAL = 1.0
GONE = 40.0
"""Seconds in which the last trace must go: a session that lost its WebSocket is kept for 10 s, ICE gives up by 39 s."""


@dataclass(slots=True)
class _Tally:
    """What all viewers saw together."""

    joins: int = 0
    packets: int = 0
    gaps: int = 0
    slowest: float = 0.0
    memory: list[float] = field(default_factory=list)

    def add(self, viewer: LightViewer) -> None:
        self.joins += 1
        self.packets += viewer.packets
        self.gaps += viewer.gaps
        self.slowest = max(self.slowest, viewer.first_keyframe or 0.0)


async def measure(options: Options) -> list[Figure]:
    """The seed says who comes and goes when; the same seed is the same run."""
    viewers, minutes = options.viewers or 20, options.minutes or 10.0
    tally, dropped = _Tally(), overflows()
    async with Measured("ours", SMALL) as engine:
        await _warm_up(engine, viewers)
        before, tasks = engine.footprint, (await engine.moment()).tasks
        await _churn(engine, viewers, minutes * 60, options.seed, tally)
        end = await engine.until(lambda moment: moment.peers == 0, GONE)
        after = engine.footprint
    left = f"descriptors {after.descriptors - before.descriptors:+d}, threads {after.threads - before.threads:+d}"
    seen = f"{tally.joins} joins, slowest {tally.slowest * 1000:.0f} ms, {tally.gaps} gaps in {tally.packets} packets"
    seen += f", {overflows() - dropped} dropped at full sockets of receivers"
    return [
        Figure(f"{viewers} viewers join and leave for {minutes:g} min, seed {options.seed}", seen, "no gaps"),
        Figure("  memory, median of each quarter", _quarters(tally.memory), "flat in the last half"),
        Figure("  left behind", f"{left}, tasks {end.tasks - tasks:+d}", "nothing"),
    ]


async def _warm_up(engine: Measured, viewers: int) -> None:
    """What is made once, and kept, is made now."""
    newcomers = [LightViewer(engine.port) for _ in range(viewers)]
    for viewer in newcomers:
        await viewer.__aenter__()
    await asyncio.gather(*(viewer.keyframe() for viewer in newcomers))
    await asyncio.gather(*(viewer.leave() for viewer in newcomers))
    await engine.until(lambda moment: moment.peers == 0, GONE)
    await asyncio.sleep(2)


async def _churn(engine: Measured, viewers: int, seconds: float, seed: int, tally: _Tally) -> None:
    end = asyncio.get_running_loop().time() + seconds
    sampling = asyncio.create_task(_sample(engine, tally.memory))
    try:
        async with asyncio.TaskGroup() as places:
            for place in range(viewers):
                places.create_task(_come_and_go(engine.port, Random(f"{seed} {place}"), end, tally))
    finally:
        sampling.cancel()


async def _come_and_go(port: int, chance: Random, end: float, tally: _Tally) -> None:
    """One place: somebody comes, stays, and leaves with or without a word; then the next one comes."""
    loop = asyncio.get_running_loop()
    while (left := end - loop.time()) > 0:
        async with LightViewer(port) as viewer:
            await viewer.keyframe()
            await asyncio.sleep(min(left, chance.uniform(0, LONGEST_STAY)))
            if chance.random() < 0.5:
                await viewer.vanish()
        tally.add(viewer)


async def _sample(engine: Measured, memory: list[float]) -> None:
    while True:
        memory.append(engine.footprint.memory)
        await asyncio.sleep(SAMPLE_INTERVAL)


def _quarters(memory: Sequence[float]) -> str:
    quarter = max(1, len(memory) // 4)
    parts = itertools.islice((memory[start:] for start in range(0, len(memory), quarter)), 4)
    return ", ".join(f"{statistics.median(part[:quarter]):.1f}" for part in parts) + " MB"
