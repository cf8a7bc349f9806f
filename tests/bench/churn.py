"""Viewers who join and leave at random for minutes: memory must level out, and nothing may be left behind."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.bench.engine_process import EngineProcess
from tests.bench.measurement import Options, Result
from tests.bench.synthetic_source import SMALL
from tests.rigs.light import LightViewer
from tests.rigs.process import udp_overflows

LONGEST_STAY = 20.0
SAMPLE_INTERVAL = 1.0
CLEANUP_LIMIT = 40.0
"""Seconds until nothing is left of a viewer: a session without WebSocket is kept for 10 s, ICE gives up after 39 s."""


@dataclass(slots=True)
class _Tally:
    """Totals over all viewers; `slowest` is the longest time to the first keyframe, in seconds."""

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


async def measure(options: Options) -> list[Result]:
    """The seed determines who joins and leaves when."""
    viewers, minutes = options.viewers or 20, options.minutes or 10.0
    tally, dropped = _Tally(), udp_overflows()
    async with EngineProcess("ours", SMALL) as engine:
        await _warm_up(engine, viewers)
        before, tasks = engine.footprint, (await engine.snapshot()).tasks
        await _churn(engine, viewers, minutes * 60, options.seed, tally)
        end = await engine.until(lambda snapshot: snapshot.peers == 0, CLEANUP_LIMIT)
        after = engine.footprint
    left = f"descriptors {after.descriptors - before.descriptors:+d}, threads {after.threads - before.threads:+d}"
    totals = f"{tally.joins} joins, slowest {tally.slowest * 1000:.0f} ms, {tally.gaps} gaps in {tally.packets} packets"
    totals += f", {udp_overflows() - dropped} dropped at full sockets of receivers"
    return [
        Result(f"{viewers} viewers join and leave for {minutes:g} min, seed {options.seed}", totals, "no gaps"),
        Result("  memory, median of each quarter", _quarters(tally.memory), "flat in the second half"),
        Result("  left behind", f"{left}, tasks {end.tasks - tasks:+d}", "nothing"),
    ]


async def _warm_up(engine: EngineProcess, count: int) -> None:
    """Let everything be created that is created once and kept."""
    viewers = [LightViewer(engine.port) for _ in range(count)]
    for viewer in viewers:
        await viewer.__aenter__()
    await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
    await asyncio.gather(*(viewer.leave() for viewer in viewers))
    await engine.until(lambda snapshot: snapshot.peers == 0, CLEANUP_LIMIT)
    await asyncio.sleep(2)


async def _churn(engine: EngineProcess, viewers: int, seconds: float, seed: int, tally: _Tally) -> None:
    end = asyncio.get_running_loop().time() + seconds
    sampling = asyncio.create_task(_sample(engine, tally.memory))
    try:
        async with asyncio.TaskGroup() as slots:
            for slot in range(viewers):
                slots.create_task(_join_and_leave(engine.port, Random(f"{seed} {slot}"), end, tally))
    finally:
        sampling.cancel()


async def _join_and_leave(port: int, random: Random, end: float, tally: _Tally) -> None:
    """One viewer after another: each joins, stays, and leaves with or without closing the connection."""
    loop = asyncio.get_running_loop()
    while (left := end - loop.time()) > 0:
        async with LightViewer(port) as viewer:
            await viewer.keyframe()
            await asyncio.sleep(min(left, random.uniform(0, LONGEST_STAY)))
            if random.random() < 0.5:
                await viewer.drop_connection()
        tally.add(viewer)


async def _sample(engine: EngineProcess, memory: list[float]) -> None:
    while True:
        memory.append(engine.footprint.memory)
        await asyncio.sleep(SAMPLE_INTERVAL)


def _quarters(memory: Sequence[float]) -> str:
    quarter = max(1, len(memory) // 4)
    parts = itertools.islice((memory[start:] for start in range(0, len(memory), quarter)), 4)
    return ", ".join(f"{statistics.median(part[:quarter]):.1f}" for part in parts) + " MB"
