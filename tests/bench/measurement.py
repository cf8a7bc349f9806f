"""What a measurement takes and returns: options of the command line, and results with their targets."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.synthetic_source import CAMERA, ENCODER, Shape


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command line; None means the default of each measurement.

    `seconds` is the length of the measured window, `minutes` that of `churn`; `publish` is for `hostile`. `camera`
    makes keyframes as large as those of a camera; all viewers of `scale` join `within` so many seconds, and are `light`
    ones that only count.
    """

    viewers: int | None = None
    seconds: int | None = None
    rounds: int | None = None
    minutes: float | None = None
    seed: int = 1
    publish: bool = False
    camera: bool = False
    within: float | None = None
    light: bool = False

    @property
    def shape(self) -> Shape:
        """The synthetic video of `scale`, `storm` and `memory`."""
        return CAMERA if self.camera else ENCODER


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the output. `target` is text, because not every target is an upper limit.

    `failed` marks what must not happen on any machine, however slow.
    """

    name: str
    value: str
    target: str = ""
    failed: bool = False


def median(name: str, values: Sequence[float], unit: str, target: str = "", digits: int = 0) -> Result:
    """Return the median of several runs, and the range of the middle 90 % (of all, if there are few)."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    spread = f"{low:.{digits}f} to {high:.{digits}f}, {len(ordered)} runs"
    return Result(name, f"{statistics.median(ordered):.{digits}f}{unit and ' '}{unit} ({spread})", target)


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the value that `fraction` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def table(results: Sequence[Result]) -> str:
    """Format the results, one per line."""
    width = max(len(result.name) for result in results)
    return "\n".join(f"{result.name:{width}}  {result.value}{_suffix(result)}" for result in results)


def _suffix(result: Result) -> str:
    target = f"   [target: {result.target}]" if result.target else ""
    return target + ("  FAILED" if result.failed else "")
