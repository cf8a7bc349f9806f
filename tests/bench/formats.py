"""CPU time of players with a packet format each, compared with players that all have the same one.

Packets are made once for each layout. Payload types and extension ids, which are the player's own choice, are written
into each viewer's copy.
"""

from __future__ import annotations

from tests.bench.engine_process import EngineProcess
from tests.bench.measurement import Options, Result, median
from tests.bench.player_crowd import PlayerCrowd
from tests.bench.synthetic_source import CONSTANT

SETTLE = 2.0
ARRIVING = 0.5
"""Fraction of the packets that must arrive, so that the cost means something; a busy machine drops some of them."""
TARGET = "at most 1.5"


async def measure(options: Options) -> list[Result]:
    """Measure both in turn, so that other load on the machine affects both."""
    viewers, seconds = options.viewers or 20, options.seconds or 4
    rounds = [
        (await _cost(viewers, seconds, 1), await _cost(viewers, seconds, viewers)) for _ in range(options.rounds or 5)
    ]
    one, many = ([each[index] for each in rounds] for index in (0, 1))
    return [
        median(f"CPU per packet and player, {viewers} players of one packet format", one, "µs", digits=2),
        median(f"CPU per packet and player, {viewers} players of {viewers} packet formats", many, "µs", digits=2),
        median("  many formats : one format", [b / a for a, b in rounds], "", TARGET, 2),
    ]


async def _cost(viewers: int, seconds: int, formats: int) -> float:
    async with EngineProcess("ours", CONSTANT) as engine, PlayerCrowd(engine.port, viewers, formats) as crowd:
        before = await crowd.packets()
        window = await engine.window(viewers, SETTLE, seconds)
        received = sum(await crowd.packets()) - sum(before)
    if received < ARRIVING * window.packets:
        raise AssertionError(f"{received} of {window.packets} packets arrived")
    return window.microseconds
