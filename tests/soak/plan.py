"""Which fault comes when, to whom and for how long: a seed says it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

SHORTEST, LONGEST = 20.0, 60.0
"""Seconds between two faults."""
CALM = 45.0
"""Seconds at the end in which nothing happens any more, so that what is left can be counted."""

Who = Literal["all", "behind", "one", "nobody"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. `who` may be without a picture, for `recovery` seconds after the fault's end; "behind" are those
    behind the bad link.

    `shortest` and `longest` are the seconds that it lasts, `cards` says how often it is in the deck. Recovery times
    are those that the faults' table in tests/README.md asks for.
    """

    name: str
    who: Who
    recovery: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0
    cards: int = 3


KINDS = (
    Kind("camera stalls", "all", 5),  # noticed within 2 s, opened anew after 1 s, then a keyframe
    Kind("camera unplugged, back at once", "all", 4),
    Kind("camera away, plugged in later", "all", 5, 2, 10),
    Kind("camera hangs for good", "all", 8, cards=1),  # the process ends after 7 s; from then on as kill -9
    Kind("camera gives garbage", "nobody"),
    Kind("camera gives a huge keyframe", "nobody"),
    Kind("camera changes size and back", "nobody", 0, 2, 5),
    Kind("camera's time goes back", "nobody"),
    Kind("camera's time jumps ahead", "nobody"),
    Kind("microphone unplugged", "nobody"),
    Kind("microphone stalls for a while", "nobody", 0, 2, 10),
    Kind("microphone cannot be opened for a while", "nobody", 0, 2, 8),
    Kind("viewer frozen (SIGSTOP), goes on", "one", 4, 2, 15),
    Kind("viewer killed, another comes", "one", 5),
    Kind("viewer leaves, another comes", "one", 5),
    Kind("WebSocket cut", "nobody"),
    Kind("storm of PLI and NACK", "nobody", 0, 3, 6),
    Kind("storm of keyframe messages", "nobody"),
    Kind("viewer floods with messages", "one", 5),  # is told to wait for 15 s
    Kind("stranger never answers", "nobody", 0, 11, 12),
    Kind("stranger answers garbage", "nobody"),
    Kind("stopped and started by HTTP", "all", 5, 1, 5),
    Kind("stopped and started by SIGUSR1", "all", 5, 1, 5),
    Kind("kill -9, restarted", "all", 8, cards=1),
    Kind("SIGTERM, restarted", "all", 8, cards=1),
)

NETWORK_KINDS = (
    # Nobody tells these viewers that the network is back: a step of the ladder and an attempt may pass, 3 s each.
    Kind("network gone", "behind", 8, 2, 20),
    Kind("network loses a fifth", "nobody", 0, 5, 15),
)
"""Those that take networks of one's own."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One that is planned: `at` seconds after the beginning, to that viewer, for so many seconds."""

    at: float
    kind: Kind
    viewer: int
    lasts: float


def plan(seed: int, seconds: float, viewers: int, kinds: Sequence[Kind] = KINDS) -> list[Fault]:
    """All faults of a run; a longer run with the same seed begins with the same ones.

    Kinds are drawn from a shuffled deck until it is empty, so that chance decides the order, and leaves none out.
    """
    chance = Random(seed)
    faults: list[Fault] = []
    deck: list[Kind] = []
    at = 0.0
    while True:
        if not deck:
            deck = [kind for kind in kinds for _ in range(kind.cards)]
            chance.shuffle(deck)
        at += chance.uniform(SHORTEST, LONGEST)
        kind = deck.pop()
        fault = Fault(at, kind, chance.randrange(viewers), chance.uniform(kind.shortest, kind.longest))
        if at + fault.lasts > seconds - CALM:
            return faults
        faults.append(fault)
