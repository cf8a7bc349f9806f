"""Time from POST /whep to the first packet of a keyframe, at players based on another WebRTC library (pion)."""

from __future__ import annotations

import asyncio
import statistics

from tests.bench import yardstick
from tests.bench.crowd import PionCrowd
from tests.bench.crowd_stats import CrowdStats
from tests.bench.measurement import Options, Result
from tests.rigs.daemon import START_LIMIT, Daemon

INTERVAL = 0.4
"""Seconds between two joins, so that none has to wait for another one, but for the camera."""
STAY = 1
WATCHED_LIMIT = 20.0
TARGET = "p50 under 60 ms"


async def measure(options: Options) -> list[Result]:
    """A round with the first player alone, and each later one beside those before it."""
    name = "POST /whep to first keyframe packet at pion"
    if yardstick.program("viewers") is None:
        return [Result(name, yardstick.MISSING)]
    players, rounds = options.viewers or 12, options.rounds or 3
    async with Daemon(web__max_viewers=2 * players) as daemon:
        await _until_live(daemon)
        stats = [await _round(daemon, players) for _ in range(rounds)]
    middle, high = statistics.median(one.keyframe_p50 for one in stats), max(one.keyframe_p95 for one in stats)
    gaps = [one.gap_summary for one in stats if one.gaps or one.failures]
    return [
        Result(name, f"p50 {middle:.0f} ms, p95 {high:.0f} ms ({rounds} rounds of {players} players)", TARGET),
        Result("  gaps", "; ".join(gaps) or "none", "none", failed=any(one.failures for one in stats)),
    ]


async def _until_live(daemon: Daemon) -> None:
    async with asyncio.timeout(START_LIMIT):
        while not (await daemon.status())["pictures"]:
            await asyncio.sleep(0.05)


async def _round(daemon: Daemon, players: int) -> CrowdStats:
    """Let players join, watch and leave, and wait until all places are free again."""
    async with PionCrowd(players, STAY, INTERVAL, whep=f"{daemon.url}whep") as crowd:
        stats = await crowd.summary()
    async with asyncio.timeout(WATCHED_LIMIT):
        while (await daemon.status())["viewers"]:
            await asyncio.sleep(0.1)
    return stats
