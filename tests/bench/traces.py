"""Congestion control on traces of a network's bandwidth, with the simulated browser of the unit tests.

It runs in simulated time, so one commit gives the same figures on every machine: run it before and after a change of a
rule. The traces are made here, in the shape of recordings that are published elsewhere.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from broadcaster.model.stream import Quality
from tests.bench.measurement import Options, Result
from tests.unit.simulated_encoder import Stream
from tests.unit.simulated_network import Link
from tests.unit.simulated_viewer import Simulation

SECONDS = 180
STEP = 0.5
"""Seconds between two values of a trace."""
SMALL = Stream(bitrate=400_000)
FREEZE = 0.25
"""Seconds without a new picture that count as a freeze."""

Trace = Callable[[random.Random], Iterator[Link]]


def _lte_walk(dice: random.Random) -> Iterator[Link]:
    """A phone that is carried about: 0.3 to 8 Mbit/s on a random walk, short outages, 40 ms."""
    rate = 3e6
    while True:
        rate = min(8e6, max(3e5, rate * math.exp(dice.gauss(0, 0.25))))
        yield Link(rate=5e4 if dice.random() < 0.01 else rate, queue=0.6, delay=0.04)


def _far_wifi(dice: random.Random) -> Iterator[Link]:
    """The end of the garden: around 1 Mbit/s with 2 % loss."""
    while True:
        yield Link(rate=dice.uniform(6e5, 1.4e6), queue=0.2, loss=0.02, delay=0.01)


def _bufferbloat(dice: random.Random) -> Iterator[Link]:
    """A DSL line with a queue of two seconds, on which somebody else uploads for 10 s of every 40 s."""
    for step in itertools.count():
        busy = step * STEP % 40 < 10
        yield Link(rate=6e5 if busy else 4e6, queue=2.0, delay=0.02)


def _swing(dice: random.Random) -> Iterator[Link]:
    """300 and 3000 kbit/s, 10 s each."""
    for step in itertools.count():
        yield Link(rate=3e5 if step * STEP % 20 < 10 else 3e6, queue=0.5)


def _elevator(dice: random.Random) -> Iterator[Link]:
    """4 Mbit/s, and nothing at all for 8 s of every minute."""
    for step in itertools.count():
        yield Link(rate=1e4 if step * STEP % 60 < 8 else 4e6, queue=0.5, delay=0.03)


def _evening(dice: random.Random) -> Iterator[Link]:
    """500 kbit/s for a minute, then 4 Mbit/s."""
    for step in itertools.count():
        yield Link(rate=5e5 if step * STEP < 60 else 4e6, queue=0.5)


TRACES: dict[str, Trace] = {
    "phone on a walk": _lte_walk,
    "far end of a Wi-Fi": _far_wifi,
    "line with deep queues": _bufferbloat,
    "300 and 3000 kbit/s in turn": _swing,
    "outages of 8 s": _elevator,
    "500 kbit/s, then 4 Mbit/s": _evening,
}


@dataclass(frozen=True, slots=True)
class _Run:
    """What the viewer saw."""

    fps: float
    frozen: float
    on_full: float
    changes: int
    padding: float

    def __str__(self) -> str:
        quality = f"full {self.on_full:.0%} of the time, {self.changes} changes, {self.padding:.1%} padding"
        return f"{self.fps:.1f} fps, frozen {self.frozen:.1%}, {quality}"


async def measure(options: Options) -> list[Result]:
    """Run each trace with and without the second rendition, with reports once a second."""
    results = []
    for name, trace in TRACES.items():
        for small in (SMALL, None):
            run = _run(trace, small, options)
            results.append(Result(f"{name}{'' if small else ', one rendition'}", str(run)))
    return results


def _run(trace: Trace, small: Stream | None, options: Options) -> _Run:
    links = trace(random.Random(options.seed))
    viewer = Simulation(Stream(), next(links), small=small, report_interval=1.0, seed=options.seed)
    seconds = options.seconds or SECONDS
    full_steps = 0
    for link in itertools.islice(links, round(seconds / STEP)):
        viewer.run(STEP)
        full_steps += viewer.queue.quality is Quality.FULL
        viewer.network.link = link
    shown = [0.0, *viewer.browser.shown, seconds]
    frozen = sum(gap for before, after in itertools.pairwise(shown) if (gap := after - before) > FREEZE)
    return _Run(
        fps=len(viewer.browser.shown) / seconds,
        frozen=frozen / seconds,
        on_full=full_steps * STEP / seconds,
        changes=len(viewer.changes),
        padding=viewer.padding / max(1, viewer.network.tally.packets),
    )
