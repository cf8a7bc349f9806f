"""Many light viewers of one process, with video like that of an encoder: pictures, gaps, lag, CPU time and memory."""

from __future__ import annotations

import resource

from tests.bench import yardstick
from tests.bench.counted_peers import COUNTED_AFTER
from tests.bench.crowd import crowd
from tests.bench.engine_process import EngineProcess, Window
from tests.bench.measurement import Options, Result, percentile

SETTLE = 2.0
JOIN_INTERVAL = 0.03
"""Seconds between two joins, unless `--within` says how soon all have joined; see also `storm`."""

NICENESS = 10
"""Of the viewers, which elsewhere are on other machines: hundreds need a core and more of this one."""

JOINING = 12
"""Seconds that the last ones may need to join."""

FEW = 20
MEMORY_SETTLE = 5.0
"""Seconds after which the retransmission history is full."""


async def measure(options: Options) -> list[Result]:
    """2.5 Mbit/s and 30 fps for each viewer."""
    viewers, seconds = options.viewers or 200, options.seconds or 60
    name = f"{viewers} viewers at 2.5 Mbit/s for {seconds} s"
    if not options.light and not yardstick.is_built():
        return [Result(name, yardstick.MISSING)]
    interval = options.within / viewers if options.within else JOIN_INTERVAL
    stay = SETTLE + seconds + JOINING
    before = _children_cpu()
    async with (
        EngineProcess("ours", options.shape, lag=True) as engine,
        crowd(engine.port, viewers, stay, interval, light=options.light, niceness=NICENESS) as watching,
    ):
        window = await engine.window(viewers, SETTLE, seconds)
        shares = await engine.shares()
        stats = await watching.summary()
        load = (_children_cpu() - before) / stay  # before the engine exits, too
    first = f"p50 {stats.keyframe_p50 / 1000:.2f} s, p95 {stats.keyframe_p95 / 1000:.2f} s"
    return [
        Result(f"{name}: gaps", stats.gap_summary, "none"),
        _pictures(shares, window),
        Result("  connection opened to first keyframe packet", first),
        Result("  event loop lag while they join", _lag(window.joining)),
        Result("  event loop lag afterwards", _lag(window.lags), "p99 under 20 ms"),
        _cpu(window),
        Result("  CPU of the viewers' process", f"{load:.0%} of a core"),
    ]


def _pictures(shares: list[float], window: Window) -> Result:
    """Pictures that were skipped leave no gap."""
    few, middle = percentile(shares, 0.05), percentile(shares, 0.5)
    value = f"least {min(shares):.1%}, p5 {few:.1%}, median {middle:.1%}"
    value += f"; taken for slow at the beginning {window.begin.slow}, at the end {window.end.slow}"
    return Result(
        f"  pictures per viewer, from {COUNTED_AFTER:g} s after its join", value, "least 97 %, 95 % with 500 viewers"
    )


def _lag(lags: list[float]) -> str:
    return f"p50 {percentile(lags, 0.5):.1f} ms, p99 {percentile(lags, 0.99):.1f} ms, max {max(lags):.1f} ms"


def _cpu(window: Window) -> Result:
    errors = window.end.errors - window.begin.errors
    value = f"{window.cpu_percent:.0f} % of a core, {window.microseconds:.2f} µs per packet, {errors} send errors"
    return Result("  CPU", value)


def _children_cpu() -> float:
    """Return the CPU time in seconds of all child processes that have exited: not yet that of the engine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


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
