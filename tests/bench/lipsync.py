"""How far sound and picture get apart in an hour, when the sound card's clock is off and the machine has its moods."""

from __future__ import annotations

from tests.bench.figures import Figure
from tests.bench.options import Options
from tests.rigs.sound_card import offsets

HOUR = 3600
DRIFT = 200


async def measure(options: Options) -> list[Figure]:
    """Simulated, by the daemon's own sample clock, filters and RTP timeline; some seconds for each hour."""
    figures = []
    for ppm in (DRIFT, -DRIFT):
        found = offsets(ppm, options.seconds or HOUR)
        worst = max(map(abs, found)) * 1000
        what = f"sound beside the picture, card's clock off by {ppm:+} ppm: largest offset"
        figures.append(Figure(what, f"{worst:.1f} ms ({len(found)} clicks)", "under 40 ms"))
    return figures
