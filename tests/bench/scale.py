"""Many light viewers of one process, with pictures as an encoder makes them."""

from __future__ import annotations

from tests.bench import yardstick
from tests.bench.crowd import crowd
from tests.bench.figures import Figure, percentile
from tests.bench.measured import Measured, Window
from tests.bench.options import Options

SETTLE = 2.0
EVERY = 0.03
"""Seconds between two joins: here they are not what is measured, see `storm`."""


async def measure(options: Options) -> list[Figure]:
    """2.5 Mbit/s and 30 pictures a second for each."""
    viewers, seconds = options.viewers or 200, options.seconds or 60
    what = f"{viewers} viewers at 2.5 Mbit/s for {seconds} s"
    if not yardstick.is_built():
        return [Figure(what, yardstick.MISSING)]
    async with (
        Measured("ours", options.shape, lag=True) as engine,
        crowd(engine.port, viewers, SETTLE + seconds + 6, EVERY) as watching,
    ):
        window = await engine.window(viewers, SETTLE, seconds)
        seen = await watching.seen()
    return [Figure(f"{what}: gaps", seen.missing, "none"), _lag(window), _cpu(window)]


def _lag(window: Window) -> Figure:
    lags = window.lags
    value = f"p50 {percentile(lags, 0.5):.1f} ms, p99 {percentile(lags, 0.99):.1f} ms, max {max(lags):.1f} ms"
    return Figure("  loop lag", value, "p99 under 20 ms")


def _cpu(window: Window) -> Figure:
    errors = window.end.errors - window.begin.errors
    value = f"{window.cpu_percent:.0f} % of a core, {window.microseconds:.2f} µs a packet, {errors} send errors"
    return Figure("  CPU", value)
