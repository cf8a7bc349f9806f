"""Viewers without UDP: CPU time for each, and the event loop's lag, at 2.5 Mbit/s and 30 fps over `/media`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.bench.engine_process import EngineProcess
from tests.bench.measurement import Options, Result, percentile
from tests.bench.media_crowd import MediaCrowd
from tests.bench.synthetic_source import ENCODER

SETTLE = 12.0
"""Seconds after which the peer connections that these viewers do not answer are closed."""


@dataclass(frozen=True, slots=True)
class Load:
    """CPU load in percent of a core, lags in ms, and messages per second of the viewer that got the fewest."""

    cpu: float
    lags: list[float]
    messages: float


async def measure(options: Options) -> list[Result]:
    """The load with one viewer is subtracted: it contains the muxer."""
    viewers, seconds = options.viewers or 100, options.seconds or 10
    one, many = await _load(1, seconds), await _load(viewers, seconds)
    each = (many.cpu - one.cpu) / (viewers - 1)
    middle, high = percentile(many.lags, 0.5), percentile(many.lags, 0.99)
    return [
        Result(f"{viewers} viewers over /media: CPU per viewer", f"{each:.3f} % of a core", "under 0.08 %"),
        Result("  CPU of the process", f"{many.cpu:.1f} % of a core, {one.cpu:.1f} % with one viewer"),
        Result(
            "  event loop lag",
            f"p50 {middle:.1f} ms, p99 {high:.1f} ms, max {max(many.lags):.1f} ms",
            "p99 under 10 ms",
        ),
        Result("  messages per second, fewest of a viewer", f"{many.messages:.1f}", "30"),
    ]


async def _load(viewers: int, seconds: int) -> Load:
    async with EngineProcess("ours", ENCODER, lag=True) as engine, MediaCrowd(engine.port, viewers) as crowd:
        await asyncio.sleep(SETTLE)
        await engine.lags()
        before, begin = await crowd.counts(), await engine.snapshot()
        await asyncio.sleep(seconds)
        after, end, lags = await crowd.counts(), await engine.snapshot(), await engine.lags()
    elapsed = end.now - begin.now
    messages = min(last - first for first, last in zip(before, after, strict=True)) / elapsed
    return Load((end.cpu - begin.cpu) / elapsed * 100, lags, messages)
