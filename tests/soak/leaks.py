"""Resources of the daemon, sampled every minute, and whether they grow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

MEMORY_GROWTH = 5.0
"""MB by which memory in the last third of a process's lifetime may exceed the third before, while each kind of fault is
still new to the process: a session needs half a MB."""
LONG_RUN = 30
"""Number of samples, one per minute, after which every kind of fault has occurred."""
MEMORY_GROWTH_LATER = 2.0
"""MB, for a process with that many samples."""
TOLERANCE = {"tasks": 1, "timers": 3, "descriptors": 2, "threads": 6}
"""Allowed differences: a timer between two ticks, a status request in progress, idle worker threads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Resources at a quiet moment: `at` seconds after the start; `instance` counts restarts, `memory` is in MB."""

    at: float
    instance: int
    viewers: int
    peers: int
    tasks: int
    timers: int
    descriptors: int
    threads: int
    memory: float


def leaks(samples: Sequence[Sample], sessions: int, peers: int) -> list[str]:
    """Return descriptions of leaks with so many sessions and peer connections; empty if there are none."""
    problems = [
        f"after {sample.at:.0f} s: {sample.viewers} sessions and {sample.peers} peer connections,"
        f" instead of {sessions} and {peers}"
        for sample in samples
        if (sample.viewers, sample.peers) != (sessions, peers)
    ]
    for instance, group in groupby(samples, lambda sample: sample.instance):
        problems += [f"instance {instance}: {text}" for text in _growth(list(group))]
    return problems


def left_behind(idle: Sample, after: Sample) -> list[str]:
    """Return which resources exceed `idle` after all viewers have left; memory does not count, as Python keeps it."""
    problems = _increases(idle, after)
    if after.viewers or after.peers:
        problems.append(f"{after.viewers} sessions and {after.peers} peer connections")
    return [f"left behind: {text}" for text in problems]


def _growth(samples: list[Sample]) -> list[str]:
    problems = _increases(samples[0], samples[-1])
    third = len(samples) // 3
    if third >= 2:
        last = statistics.median(sample.memory for sample in samples[-third:])
        before = statistics.median(sample.memory for sample in samples[-2 * third : -third])
        if last - before > (MEMORY_GROWTH if len(samples) < LONG_RUN else MEMORY_GROWTH_LATER):
            problems.append(f"memory {before:.1f} → {last:.1f} MB in the last third")
    return problems


def _increases(before: Sample, after: Sample) -> list[str]:
    return [
        f"{name} {getattr(before, name)} → {getattr(after, name)}"
        for name, allowed in TOLERANCE.items()
        if getattr(after, name) > getattr(before, name) + allowed
    ]
