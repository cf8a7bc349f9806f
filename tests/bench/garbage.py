"""Garbage collections while viewers join and leave: each one pauses the stream for all viewers."""

from __future__ import annotations

import asyncio
from collections import Counter

from broadcaster.service.garbage import QUIET_TIME
from tests.bench.engine_process import EngineProcess
from tests.bench.measurement import Options, Result
from tests.bench.synthetic_source import ENCODER
from tests.rigs.light import LightViewer

CLEANUP_LIMIT = 40.0
MAX_PAUSE = 10.0
"""Milliseconds: a third of a frame interval."""


async def measure(options: Options) -> list[Result]:
    """In each round all viewers join at once, watch for a moment, and leave at once; one viewer stays all the time."""
    viewers, rounds = options.viewers or 20, options.rounds or 10
    async with EngineProcess("ours", ENCODER) as engine:
        await _join_and_leave(engine, viewers)
        await engine.garbage()
        before = engine.footprint.memory
        async with LightViewer(engine.port) as watching:
            await watching.keyframe()
            for _ in range(rounds):
                await _join_and_leave(engine, viewers, others=1)
            joining = await engine.pauses()
            await asyncio.sleep(QUIET_TIME + 2)
            quiet = await engine.pauses()
            after = engine.footprint.memory
        await engine.until(lambda snapshot: snapshot.peers == 0, CLEANUP_LIMIT)
        await engine.garbage()
        await _join_and_leave(engine, viewers)
        cyclic = await engine.garbage() / viewers
    longest = max((pause for _, pause in joining), default=0.0)
    name = f"longest garbage collection, {viewers} viewers join and leave, {rounds} rounds"
    value = f"{longest:.1f} ms ({_by_generation(joining)})"
    return [
        Result(name, value, f"under {MAX_PAUSE:g} ms", failed=longest >= MAX_PAUSE),
        Result("  longest afterwards, without joins", f"{max((p for _, p in quiet), default=0.0):.1f} ms"),
        Result("  left to the collector per departed viewer", f"{cyclic:.0f} objects", "under 50"),
        Result("  memory before and after", f"{before:.1f} and {after:.1f} MB"),
    ]


async def _join_and_leave(engine: EngineProcess, count: int, others: int = 0) -> None:
    """Let `count` viewers join, receive a keyframe and leave."""
    viewers = [LightViewer(engine.port) for _ in range(count)]
    await asyncio.gather(*(viewer.__aenter__() for viewer in viewers))
    await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
    await asyncio.gather(*(viewer.leave() for viewer in viewers))
    await engine.until(lambda snapshot: snapshot.peers == others, CLEANUP_LIMIT)


def _by_generation(pauses: list[tuple[int, float]]) -> str:
    counts = Counter(generation for generation, _ in pauses)
    return ", ".join(f"{counts[generation]} of generation {generation}" for generation in sorted(counts)) or "none"
