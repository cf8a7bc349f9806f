"""Where the time goes while our engine sends: cProfile's table, which makes Python look dearer than C."""

from __future__ import annotations

from tests.bench.crowd import crowd
from tests.bench.fanout import SETTLE, SPARE
from tests.bench.figures import Figure
from tests.bench.measured import Measured
from tests.bench.options import Options
from tests.bench.pictures import EVEN


async def measure(options: Options) -> list[Figure]:
    """Prints the table, too long for a figure."""
    viewers, seconds = options.viewers or 20, options.seconds or 5
    stay = SETTLE + 1 + seconds + SPARE
    async with Measured("ours", EVEN) as engine, crowd(engine.port, viewers, stay):
        window = await engine.window(viewers, SETTLE, 1)
        print(await engine.profile(seconds))
    return [Figure("CPU a packet and viewer, without the profiler", f"{window.microseconds:.2f} µs")]
