"""The plan of faults: which, when, for which viewer and for how long, determined by a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.rigs.shaper import Link

MIN_INTERVAL, MAX_INTERVAL = 20.0, 60.0
"""Seconds between two faults."""
QUIET_END = 45.0
"""Seconds without faults at the end, so that what is left can be counted."""

Affected = Literal["all", "behind_link", "one", "none"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault.

    It lasts `shortest` to `longest` seconds, and is `weight` times in the deck. Video of the `affected` viewers may be
    interrupted until `recovery` seconds after its end ("behind_link" means the viewers behind the bad link). Recovery
    times are those required by the table of faults in tests/README.md. The one of an `output` is not chosen at random.
    """

    name: str
    affected: Affected
    recovery: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0
    weight: int = 3
    output: str = ""


KINDS = (
    Kind("camera stalls", "all", 5),  # noticed within 2 s, reopened after 1 s, then a keyframe
    Kind("camera unplugged, back at once", "all", 4),
    Kind("camera unplugged, plugged in later", "all", 5, 2, 10),
    Kind("camera hangs for good", "all", 8, weight=1),  # the process exits after 7 s; then as after kill -9
    Kind("camera delivers garbage", "none"),
    Kind("camera delivers a huge keyframe", "none"),
    Kind("camera changes size and back", "none", 0, 2, 5),
    Kind("camera timestamps jump back", "none"),
    Kind("camera timestamps jump ahead", "none"),
    Kind("microphone unplugged", "none"),
    Kind("microphone stalls for a while", "none", 0, 2, 10),
    Kind("microphone cannot be opened for a while", "none", 0, 2, 8),
    Kind("viewer stopped (SIGSTOP) and continued", "one", 4, 2, 15),
    Kind("viewer killed and replaced", "one", 5),
    Kind("viewer leaves and is replaced", "one", 5),
    Kind("WebSocket cut", "none"),
    Kind("storm of PLI and NACK", "none", 0, 3, 6),
    Kind("storm of keyframe messages", "none"),
    Kind("viewer floods with messages", "one", 5),  # must wait for 15 s
    Kind("new viewer never answers", "none", 0, 11, 12),
    Kind("new viewer answers with garbage", "none"),
    Kind("stopped and started by HTTP", "all", 5, 1, 5),
    Kind("stopped and started by SIGUSR1", "all", 5, 1, 5),
    Kind("kill -9, restarted", "all", 8, weight=1),
    Kind("SIGTERM, restarted", "all", 8, weight=1),
)

NETWORK_KINDS = (
    # Viewers do not notice that the network is back: a retry delay and an attempt may pass, 3 s each.
    Kind("network down", "behind_link", 8, 2, 20),
    Kind("network loses 20 % of packets", "none", 0, 5, 15),
)
"""Kinds that need network namespaces."""

OUTPUT_KINDS = (
    Kind("/media: viewer stopped (SIGSTOP) and continued", "one", 5, 2, 15, weight=2, output="/media"),
    Kind("/media: viewer killed and replaced", "one", 5, weight=2, output="/media"),
    Kind("WHEP: player killed and replaced", "one", 5, weight=2, output="WHEP"),
    Kind("push: server killed and restarted", "one", 6, weight=2, output="push"),  # lost, and again within 5 s
)
"""Kinds that need the outputs beside the viewers."""

KINDS_BESIDE_BAD_LINKS = tuple(kind for kind in KINDS if not kind.name.startswith(("camera", "microphone")))
"""Kinds for a run with bad links, whose camera is the test picture, which does not fail."""

RATES = 400_000, 1_600_000
"""Bandwidths of bad links in bits per second: the small rendition fits, the full one of 2.5 Mbit/s does not."""
LOSSES, DELAYS = (0.0, 0.03), (0.005, 0.08)
"""Fractions of lost packets, and delays in seconds in each direction."""
MIN_STATE, MAX_STATE = 15.0, 45.0
"""Seconds between two changes of a link."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A planned fault: `at` seconds after the start, for that viewer, with a duration of `lasts` seconds."""

    at: float
    kind: Kind
    viewer: int
    lasts: float


def link_states(seed: int, index: int, seconds: float) -> list[tuple[float, Link]]:
    """Return the states of a bad link during a run, each with its start; the rates are spread evenly by ratio."""
    random = Random(f"{seed} {index}")
    states: list[tuple[float, Link]] = []
    at = 0.0
    while at < seconds:
        rate = math.exp(random.uniform(*map(math.log, RATES)))
        states.append((at, Link(random.uniform(*LOSSES), round(rate), random.uniform(*DELAYS))))
        at += random.uniform(MIN_STATE, MAX_STATE)
    return states


def plan(seed: int, seconds: float, viewers: int, kinds: Sequence[Kind] = KINDS) -> list[Fault]:
    """Return all faults of a run; a longer run with the same seed starts with the same ones.

    Kinds are drawn from a shuffled deck until it is empty, so that their order is random and none is missing.
    """
    random = Random(seed)
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = 0.0
    while True:
        if not deck:
            deck = [kind for kind in kinds for _ in range(kind.weight)]
            random.shuffle(deck)
        at += random.uniform(MIN_INTERVAL, MAX_INTERVAL)
        kind = deck.pop()
        fault = Fault(at, kind, random.randrange(viewers), random.uniform(kind.shortest, kind.longest))
        if at + fault.lasts > seconds - QUIET_END:
            return faults
        faults.append(fault)
