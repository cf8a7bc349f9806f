"""How a figure is printed: what was measured, the median of how many, and what it should be."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result; `target` is in words, because most are an upper limit and some are not.

    `failed` is for what must not be on any machine, however slow.
    """

    what: str
    value: str
    target: str = ""
    failed: bool = False


def median(what: str, values: Sequence[float], unit: str, target: str = "", digits: int = 0) -> Figure:
    """The median of several runs, with the middle nine tenths (all, when they are few) beside it."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    spread = f"{low:.{digits}f} to {high:.{digits}f}, {len(ordered)} runs"
    return Figure(what, f"{statistics.median(ordered):.{digits}f}{unit and ' '}{unit} ({spread})", target)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """All figures, one line each."""
    width = max(len(figure.what) for figure in figures)
    return "\n".join(f"{figure.what:{width}}  {figure.value}{_beside(figure)}" for figure in figures)


def _beside(figure: Figure) -> str:
    target = f"   [target: {figure.target}]" if figure.target else ""
    return target + ("  FAILED" if figure.failed else "")
