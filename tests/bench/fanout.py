"""What sending a packet to one more viewer costs: ours, aiortc's own sender, and pion where the yardstick is built.

Same viewers and same packets, in turn within each round, so that what else the machine does meets all of them;
ratios are made within a round. CPU time is that of the whole sending process, user and kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench import yardstick
from tests.bench.crowd import PionCrowd, Seen, crowd
from tests.bench.figures import Figure, median
from tests.bench.measured import Kind, Measured
from tests.bench.options import Options
from tests.bench.pictures import EVEN

SETTLE = 1.0
SPARE = 1.0
"""Seconds that viewers stay longer than they are needed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One engine in one round: CPU time for a packet and viewer in µs, and what its viewers saw."""

    microseconds: float
    seen: Seen


Round = dict[str, Cost]


async def measure(options: Options) -> list[Figure]:
    """At least five rounds, or the figures mean little."""
    viewers, seconds = options.viewers or 20, options.seconds or 4
    rounds = [await _round(viewers, seconds) for _ in range(options.rounds or 5)]
    return [*_costs(rounds, viewers), *_ratios(rounds), *_gaps(rounds)]


async def _round(viewers: int, seconds: int) -> Round:
    costs = {"aiortc's sender": await _measured("aiortc", viewers, seconds)}
    costs["ours"] = await _measured("ours", viewers, seconds)
    if yardstick.is_built():
        costs["pion"] = await _pion(viewers, seconds)
    return costs


async def _measured(kind: Kind, viewers: int, seconds: int) -> Cost:
    async with Measured(kind, EVEN) as engine, crowd(engine.port, viewers, SETTLE + seconds + SPARE) as watching:
        window = await engine.window(viewers, SETTLE, seconds)
        seen = await watching.seen()
    _check(seen, window.packets)
    return Cost(window.microseconds, seen)


async def _pion(viewers: int, seconds: int) -> Cost:
    """It waits and settles by itself, and prints what its sending has cost."""
    async with (
        yardstick.PionPeer(viewers, seconds, EVEN) as peer,
        PionCrowd(viewers, SETTLE + seconds + SPARE, whep=peer.url) as watching,
    ):
        result = await peer.result()
        seen = await watching.seen()
    _check(seen, seconds * EVEN.fps * EVEN.packets * viewers)
    return Cost(result["us_per_packet_viewer"], seen)


def _check(seen: Seen, sent: int) -> None:
    """A cheap sender that does not send would be no art."""
    if seen.packets + seen.gaps < sent or seen.failures:
        raise AssertionError(f"of {sent} packets {seen.missing}")


def _costs(rounds: list[Round], viewers: int) -> list[Figure]:
    return [
        median(
            f"CPU a packet and viewer, {viewers} viewers, {name}",
            [costs[name].microseconds for costs in rounds],
            "µs",
            digits=2,
        )
        for name in rounds[0]
    ]


def _ratios(rounds: list[Round]) -> list[Figure]:
    targets = {"aiortc's sender": "at most 0.30, aim 0.25", "pion": "at most 0.60, aim 0.50"}
    figures = []
    for name, target in targets.items():
        what = f"  ours : {name}"
        ratios = [costs["ours"].microseconds / costs[name].microseconds for costs in rounds if name in costs]
        figures.append(median(what, ratios, "", target, 2) if ratios else Figure(what, yardstick.MISSING, target))
    return figures


def _gaps(rounds: list[Round]) -> list[Figure]:
    figures = []
    for name in rounds[0]:
        seen = [costs[name].seen for costs in rounds]
        packets, gaps = sum(each.packets for each in seen), sum(each.gaps for each in seen)
        dropped = sum(each.overflows for each in seen)
        value = f"{gaps} in {packets} packets, {dropped} dropped at full sockets of receivers"
        figures.append(Figure(f"  gaps, {name}", value, "none" if name == "ours" else ""))
    return figures
