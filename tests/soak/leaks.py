"""What the daemon holds, minute after minute, and whether that grows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

MEMORY_GROWTH = 5.0
"""MB by which the last third of one life of the process may exceed the third before, while each kind of fault is still
new to it: as a session costs half a MB."""
LONG_LIFE = 30
"""Looks, one a minute, after which nothing is new any more."""
MEMORY_GROWTH_LATER = 2.0
"""MB, in a life so long."""
TOLERANCE = {"tasks": 1, "timers": 3, "descriptors": 2, "threads": 3}
"""What may be in flight at one look: a timer between two ticks, a request for the status, a thread kept for later."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One look at a quiet moment: `at` seconds after the beginning, `life` counts restarts, `memory` in MB."""

    at: float
    life: int
    viewers: int
    peers: int
    tasks: int
    timers: int
    descriptors: int
    threads: int
    memory: float


def leaks(probes: Sequence[Probe], viewers: int) -> list[str]:
    """What has leaked while so many watched, in words; nothing when nothing has."""
    found = [
        f"after {probe.at:.0f} s: {probe.viewers} sessions and {probe.peers} peer connections of {viewers} viewers"
        for probe in probes
        if (probe.viewers, probe.peers) != (viewers, viewers)
    ]
    for life, group in groupby(probes, lambda probe: probe.life):
        found += [f"life {life}: {words}" for words in _growth(list(group))]
    return found


def left_behind(idle: Probe, after: Probe) -> list[str]:
    """What is more when all have gone than before the first came; memory aside, which Python keeps."""
    found = _more(idle, after)
    if after.viewers or after.peers:
        found.append(f"{after.viewers} sessions and {after.peers} peer connections")
    return [f"left behind: {words}" for words in found]


def _growth(probes: list[Probe]) -> list[str]:
    found = _more(probes[0], probes[-1])
    third = len(probes) // 3
    if third >= 2:
        last = statistics.median(probe.memory for probe in probes[-third:])
        before = statistics.median(probe.memory for probe in probes[-2 * third : -third])
        if last - before > (MEMORY_GROWTH if len(probes) < LONG_LIFE else MEMORY_GROWTH_LATER):
            found.append(f"memory {before:.1f} → {last:.1f} MB in the last third")
    return found


def _more(before: Probe, after: Probe) -> list[str]:
    return [
        f"{name} {getattr(before, name)} → {getattr(after, name)}"
        for name, allowed in TOLERANCE.items()
        if getattr(after, name) > getattr(before, name) + allowed
    ]
