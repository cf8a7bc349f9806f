"""Many light viewers of one process, with video like that of an encoder: gaps, lag, CPU time and memory."""

from __future__ import annotations

from tests.bench import yardstick
from tests.bench.crowd import crowd
from tests.bench.engine_process import EngineProcess, Window
from tests.bench.measurement import Options, Result, percentile

SETTLE = 2.0
JOIN_INTERVAL = 0.03
"""Seconds between two joins, which are not measured here; see `storm`."""

FEW = 20
MEMORY_SETTLE = 5.0
"""Seconds after which the retransmission history is full."""


async def measure(options: Options) -> list[Result]:
    """2.5 Mbit/s and 30 fps for each viewer."""
    viewers, seconds = options.viewers or 200, options.seconds or 60
    name = f"{viewers} viewers at 2.5 Mbit/s for {seconds} s"
    if not yardstick.is_built():
        return [Result(name, yardstick.MISSING)]
    async with (
        EngineProcess("ours", options.shape, lag=True) as engine,
        crowd(engine.port, viewers, SETTLE + seconds + 6, JOIN_INTERVAL) as watching,
    ):
        window = await engine.window(viewers, SETTLE, seconds)
        stats = await watching.summary()
    return [Result(f"{name}: gaps", stats.gap_summary, "none"), _lag(window), _cpu(window)]


def _lag(window: Window) -> Result:
    lags = window.lags
    value = f"p50 {percentile(lags, 0.5):.1f} ms, p99 {percentile(lags, 0.99):.1f} ms, max {max(lags):.1f} ms"
    return Result("  event loop lag", value, "p99 under 20 ms")


def _cpu(window: Window) -> Result:
    errors = window.end.errors - window.begin.errors
    value = f"{window.cpu_percent:.0f} % of a core, {window.microseconds:.2f} µs per packet, {errors} send errors"
    return Result("  CPU", value)


async def measure_memory(options: Options) -> list[Result]:
    """Resident memory with one, few and many viewers; in a new process each time, as memory is not always returned."""
    if not yardstick.is_built():
        return [Result("memory per viewer", yardstick.MISSING)]
    many = options.viewers or 100
    one_mb, few_mb, many_mb = await _memory(options, 1), await _memory(options, FEW), await _memory(options, many)
    per_viewer = (many_mb - few_mb) / (many - FEW)
    process = f"1 viewer {one_mb:.1f} MB, {FEW} viewers {few_mb:.1f} MB, {many} viewers {many_mb:.1f} MB"
    return [Result("memory per viewer", f"{per_viewer:.2f} MB", "under 0.5 MB"), Result("  of the process", process)]


async def _memory(options: Options, viewers: int) -> float:
    async with EngineProcess("ours", options.shape) as engine, crowd(engine.port, viewers, MEMORY_SETTLE + 4):
        await engine.window(viewers, MEMORY_SETTLE, 1)
        return engine.footprint.memory
