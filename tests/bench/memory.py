"""What a viewer adds to the memory of the process."""

from __future__ import annotations

from tests.bench import yardstick
from tests.bench.crowd import crowd
from tests.bench.figures import Figure
from tests.bench.measured import Measured
from tests.bench.options import Options

FEW = 20
SETTLE = 5.0
"""Seconds: what is kept for late repetitions has filled by then."""


async def measure(options: Options) -> list[Figure]:
    """Resident memory with none, few and many; a new process each time, since memory is not always given back."""
    if not yardstick.is_built():
        return [Figure("memory a viewer", yardstick.MISSING)]
    many = options.viewers or 100
    none, few, all_of_them = await _memory(options, 1), await _memory(options, FEW), await _memory(options, many)
    grown = (all_of_them - few) / (many - FEW)
    seen = f"1 viewer {none:.1f} MB, {FEW} viewers {few:.1f} MB, {many} viewers {all_of_them:.1f} MB"
    return [Figure("memory a viewer", f"{grown:.2f} MB", "under 0.5 MB"), Figure("  of the process", seen)]


async def _memory(options: Options, viewers: int) -> float:
    async with Measured("ours", options.shape) as engine, crowd(engine.port, viewers, SETTLE + 4):
        await engine.window(viewers, SETTLE, 1)
        return engine.footprint.memory
