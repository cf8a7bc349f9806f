"""Garbage collections while viewers join and leave: each stops the stream for everybody for as long as it lasts."""

from __future__ import annotations

import asyncio
from collections import Counter

from broadcaster.service.garbage import QUIET_TIME
from tests.bench.figures import Figure
from tests.bench.measured import Measured
from tests.bench.options import Options
from tests.bench.pictures import ENCODER
from tests.rigs.light import LightViewer

GONE = 40.0
LIMIT = 10.0
"""Milliseconds: a third of a picture."""


async def measure(options: Options) -> list[Figure]:
    """All join at once, watch for a moment, and leave at once, round after round; some stay all the time."""
    viewers, rounds = options.viewers or 20, options.rounds or 10
    async with Measured("ours", ENCODER) as engine:
        await _round(engine, viewers)
        await engine.garbage()
        before = engine.footprint.memory
        async with LightViewer(engine.port) as watching:
            await watching.keyframe()
            for _ in range(rounds):
                await _round(engine, viewers, others=1)
            joining = await engine.pauses()
            await asyncio.sleep(QUIET_TIME + 2)
            quiet = await engine.pauses()
            after = engine.footprint.memory
        await engine.until(lambda moment: moment.peers == 0, GONE)
        await engine.garbage()
        await _round(engine, viewers)
        left = await engine.garbage() / viewers
    longest = max((pause for _, pause in joining), default=0.0)
    what = f"{viewers} viewers join and leave, {rounds} rounds: longest collection of garbage"
    return [
        Figure(what, f"{longest:.1f} ms ({_by_generation(joining)})", f"under {LIMIT:g} ms", longest >= LIMIT),
        Figure("  afterwards, when it is quiet", f"{max((p for _, p in quiet), default=0.0):.1f} ms"),
        Figure("  left for it by a viewer that has left", f"{left:.0f} objects", "under 50"),
        Figure("  memory before and after", f"{before:.1f} and {after:.1f} MB"),
    ]


async def _round(engine: Measured, viewers: int, others: int = 0) -> None:
    """So many come, get a keyframe, and leave."""
    newcomers = [LightViewer(engine.port) for _ in range(viewers)]
    await asyncio.gather(*(viewer.__aenter__() for viewer in newcomers))
    await asyncio.gather(*(viewer.keyframe() for viewer in newcomers))
    await asyncio.gather(*(viewer.leave() for viewer in newcomers))
    await engine.until(lambda moment: moment.peers == others, GONE)


def _by_generation(pauses: list[tuple[int, float]]) -> str:
    counts = Counter(generation for generation, _ in pauses)
    return ", ".join(f"{counts[generation]} of generation {generation}" for generation in sorted(counts)) or "none"
