"""CPU time per packet and viewer: our sender, aiortc's own, and pion's and Janus' where they are there.

All engines send the same packets to the same viewers, one after the other within each round, so that other load on the
machine affects all of them; ratios are computed within a round. CPU time is user and kernel time of the whole sending
process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.bench import janus, yardstick
from tests.bench.crowd import CrowdStats, PionCrowd, crowd
from tests.bench.engine_process import EngineProcess, Kind
from tests.bench.measurement import Options, Result, median
from tests.bench.synthetic_source import CONSTANT

JANUS = {"Janus": 0, "Janus, two event loops": 2}
"""Janus by default and at its best, with the number of its event loops."""
JANUS_MISSING = "not measured: needs the yardstick's programs and Debian's package janus"
JOIN_INTERVAL = 0.01
JANUS_JOIN = 1.0
"""Seconds that the last viewer needs to connect."""
SETTLE = 1.0
MARGIN = 1.0
"""Seconds that viewers stay after the measured window."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One engine in one round: CPU time per packet and viewer in µs, and what its viewers received."""

    microseconds: float
    stats: CrowdStats


Round = dict[str, Cost]


async def measure(options: Options) -> list[Result]:
    """Results mean little with fewer than five rounds."""
    viewers, seconds = options.viewers or 20, options.seconds or 4
    rounds = [await _round(viewers, seconds) for _ in range(options.rounds or 5)]
    return [*_costs(rounds, viewers), *_ratios(rounds), *_gaps(rounds)]


async def measure_profile(options: Options) -> list[Result]:
    """Print cProfile's table for our sender; the profiler makes Python look more expensive than C."""
    viewers, seconds = options.viewers or 20, options.seconds or 5
    stay = SETTLE + 1 + seconds + MARGIN
    async with EngineProcess("ours", CONSTANT) as engine, crowd(engine.port, viewers, stay):
        window = await engine.window(viewers, SETTLE, 1)
        print(await engine.profile(seconds))
    return [Result("CPU per packet and viewer, without the profiler", f"{window.microseconds:.2f} µs")]


async def _round(viewers: int, seconds: int) -> Round:
    costs = {"aiortc's sender": await _engine_cost("aiortc", viewers, seconds)}
    costs["ours"] = await _engine_cost("ours", viewers, seconds)
    if yardstick.is_built():
        costs["pion"] = await _pion_cost(viewers, seconds)
    if yardstick.is_built() and janus.is_installed():
        for name, event_loops in JANUS.items():
            costs[name] = await _janus_cost(viewers, seconds, event_loops)
    return costs


async def _engine_cost(kind: Kind, viewers: int, seconds: int) -> Cost:
    stay = SETTLE + seconds + MARGIN
    async with EngineProcess(kind, CONSTANT) as engine, crowd(engine.port, viewers, stay) as watching:
        window = await engine.window(viewers, SETTLE, seconds)
        stats = await watching.summary()
    _check(stats, window.packets)
    return Cost(window.microseconds, stats)


async def _pion_cost(viewers: int, seconds: int) -> Cost:
    """The program waits for its viewers by itself, and prints its CPU time."""
    async with (
        yardstick.PionPeer(viewers, seconds, CONSTANT) as peer,
        PionCrowd(viewers, SETTLE + seconds + MARGIN, whep=peer.url) as watching,
    ):
        result = await peer.result()
        stats = await watching.summary()
    _check(stats, seconds * CONSTANT.fps * CONSTANT.packets * viewers)
    return Cost(result["us_per_packet_viewer"], stats)


async def _janus_cost(viewers: int, seconds: int, event_loops: int) -> Cost:
    stay = SETTLE + seconds + MARGIN
    async with (
        janus.Janus(CONSTANT, event_loops) as server,
        PionCrowd(viewers, stay, JOIN_INTERVAL, janus=server.url) as watching,
    ):
        await asyncio.sleep(viewers * JOIN_INTERVAL + JANUS_JOIN + SETTLE)
        before = server.cpu
        await asyncio.sleep(seconds)
        cpu = server.cpu - before
        stats = await watching.summary()
    sent = seconds * CONSTANT.fps * CONSTANT.packets * viewers
    _check(stats, sent)
    return Cost(cpu / sent * 1e6, stats)


def _check(stats: CrowdStats, sent: int) -> None:
    """Make sure that the measured sender has really sent: otherwise its cost means nothing."""
    if stats.packets + stats.gaps < sent or stats.failures:
        raise AssertionError(f"of {sent} packets sent: gaps {stats.gap_summary}")


def _costs(rounds: list[Round], viewers: int) -> list[Result]:
    return [
        median(
            f"CPU per packet and viewer, {viewers} viewers, {name}",
            [costs[name].microseconds for costs in rounds],
            "µs",
            digits=2,
        )
        for name in rounds[0]
    ]


def _ratios(rounds: list[Round]) -> list[Result]:
    targets = {
        "aiortc's sender": "at most 0.30, goal 0.25",
        "pion": "at most 0.60, goal 0.50",
        **dict.fromkeys(JANUS, ""),
    }
    results = []
    for name, target in targets.items():
        label = f"  ours : {name}"
        ratios = [costs["ours"].microseconds / costs[name].microseconds for costs in rounds if name in costs]
        missing = JANUS_MISSING if name in JANUS else yardstick.MISSING
        results.append(median(label, ratios, "", target, 2) if ratios else Result(label, missing, target))
    return results


def _gaps(rounds: list[Round]) -> list[Result]:
    results = []
    for name in rounds[0]:
        stats = [costs[name].stats for costs in rounds]
        packets, gaps = sum(each.packets for each in stats), sum(each.gaps for each in stats)
        dropped = sum(each.overflows for each in stats)
        value = f"{gaps} in {packets} packets, {dropped} dropped at full sockets of receivers"
        results.append(Result(f"  gaps, {name}", value, "none" if name == "ours" else ""))
    return results
