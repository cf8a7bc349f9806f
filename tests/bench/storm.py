"""A hundred viewers at once: the link has just been posted."""

from __future__ import annotations

import asyncio
import itertools

from tests.bench import yardstick
from tests.bench.crowd import crowd
from tests.bench.figures import Figure, percentile
from tests.bench.measured import Measured, Moment
from tests.bench.options import Options

PRESENT = 20
SETTLE = 2.0
LIMIT = 8.0
"""Seconds in which the last one must get pictures; newcomers stay as long, those who were there longer."""


async def measure(options: Options) -> list[Figure]:
    """They come within a second, to some who are there already."""
    viewers = options.viewers or 100
    what = f"{viewers} viewers within 1 s"
    if not yardstick.is_built():
        return [Figure(what, yardstick.MISSING)]
    async with Measured("ours", options.shape, lag=True) as engine, crowd(engine.port, PRESENT, 2 * LIMIT) as present:
        await engine.until(lambda moment: moment.watching == PRESENT, LIMIT)
        await asyncio.sleep(SETTLE)
        before, _ = await engine.moment(), await engine.lags()
        async with crowd(engine.port, viewers, LIMIT, 1 / viewers) as newcomers:
            last = await _last(engine, PRESENT + viewers)
            lags, end = await engine.lags(), await engine.moment()
            there, here = await newcomers.seen(), await present.seen()
    forced = [moment for moment in end.keyframes_requested if moment > before.now]
    served = f"{last.now - before.now:.2f} s" if last else f"more than {LIMIT:g} s"
    times = f"p50 {there.keyframe_p50:.0f} ms, p95 {there.keyframe_p95:.0f} ms"
    return [
        Figure(f"{what}: opened to first keyframe packet", times, "all under 3 s"),
        Figure("  from the first come to the last served", served, "under 4 s"),
        Figure("  forced keyframes", _forced(forced), "never less than 500 ms apart"),
        Figure("  gaps of those who were there", here.missing, "none"),
        Figure("  gaps of the newcomers", there.missing),
        Figure("  loop lag meanwhile", f"p99 {percentile(lags, 0.99):.0f} ms, max {max(lags):.0f} ms"),
    ]


async def _last(engine: Measured, viewers: int) -> Moment | None:
    """The moment when the last one has got pictures, a keyframe first; None if that takes too long."""
    try:
        return await engine.until(lambda moment: moment.watching == viewers, LIMIT)
    except TimeoutError:
        return None


def _forced(times: list[float]) -> str:
    distances = [later - earlier for earlier, later in itertools.pairwise(times)]
    return f"{len(times)}" + (f", at least {min(distances) * 1000:.0f} ms apart" if distances else "")
