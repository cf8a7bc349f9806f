"""A hundred viewers who join at once, as after a link has been posted."""

from __future__ import annotations

import asyncio
import itertools

from tests.bench import yardstick
from tests.bench.crowd import crowd
from tests.bench.engine_process import EngineProcess, Snapshot
from tests.bench.measurement import Options, Result, percentile

PRESENT = 20
SETTLE = 2.0
LIMIT = 8.0
"""Seconds within which the last viewer must receive video. New viewers stay as long, those present stay longer."""


async def measure(options: Options) -> list[Result]:
    """They join within a second, while others watch already."""
    viewers = options.viewers or 100
    name = f"{viewers} viewers within 1 s"
    if not yardstick.is_built():
        return [Result(name, yardstick.MISSING)]
    async with EngineProcess("ours", options.shape, lag=True) as engine, crowd(engine.port, PRESENT, 2 * LIMIT) as old:
        await engine.until(lambda snapshot: snapshot.watching == PRESENT, LIMIT)
        await asyncio.sleep(SETTLE)
        before, _ = await engine.snapshot(), await engine.lags()
        async with crowd(engine.port, viewers, LIMIT, 1 / viewers) as new:
            last = await _last_served(engine, PRESENT + viewers)
            lags, end = await engine.lags(), await engine.snapshot()
            new_stats, old_stats = await new.summary(), await old.summary()
    forced = [requested for requested in end.keyframes_requested if requested > before.now]
    served = f"{last.now - before.now:.2f} s" if last else f"more than {LIMIT:g} s"
    times = f"p50 {new_stats.keyframe_p50:.0f} ms, p95 {new_stats.keyframe_p95:.0f} ms"
    return [
        Result(f"{name}: connection opened to first keyframe packet", times, "all under 3 s"),
        Result("  first join to last viewer served", served, "under 4 s"),
        Result("  forced keyframes", _intervals(forced), "never less than 500 ms apart"),
        Result("  gaps at viewers already present", old_stats.gap_summary, "none"),
        Result("  gaps at new viewers", new_stats.gap_summary),
        Result("  event loop lag", f"p99 {percentile(lags, 0.99):.0f} ms, max {max(lags):.0f} ms"),
    ]


async def _last_served(engine: EngineProcess, viewers: int) -> Snapshot | None:
    """Return the moment when the last viewer received video, a keyframe first; None if that takes too long."""
    try:
        return await engine.until(lambda snapshot: snapshot.watching == viewers, LIMIT)
    except TimeoutError:
        return None


def _intervals(times: list[float]) -> str:
    intervals = [later - earlier for earlier, later in itertools.pairwise(times)]
    return f"{len(times)}" + (f", at least {min(intervals) * 1000:.0f} ms apart" if intervals else "")
