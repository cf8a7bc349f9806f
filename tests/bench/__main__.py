"""`python -m tests.bench [NAME …] [OPTIONS]`: measure what is named, or all that is quick, and print the figures."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.bench import (
    churn,
    fanout,
    garbage,
    hostile,
    joining,
    latency,
    lipsync,
    memory,
    panel,
    profiling,
    resources,
    scale,
    storm,
)
from tests.bench.figures import table
from tests.bench.options import Options

QUICK = {
    "joining": joining.measure,
    "latency": latency.measure,
    "resources": resources.measure,
    "fanout": fanout.measure,
    "lipsync": lipsync.measure,
}
WHEN_NAMED = {
    "panel": panel.measure,
    "profile": profiling.measure,
    "scale": scale.measure,
    "storm": storm.measure,
    "memory": memory.measure,
    "churn": churn.measure,
    "garbage": garbage.measure,
    "hostile": hostile.measure,
}
MEASUREMENTS = QUICK | WHEN_NAMED


def main() -> int:
    """One after the other: they share the machine with what they measure. 1 when something failed."""
    parsed = vars(_parser().parse_args())
    names = parsed.pop("names") or list(QUICK)
    failed = False
    for name in names:
        figures = asyncio.run(MEASUREMENTS[name](Options(**parsed)))
        print(table(figures), flush=True)
        failed |= any(figure.failed for figure in figures)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    quick, others = ", ".join(QUICK), ", ".join(WHEN_NAMED)
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help=f"{quick} (these by default), {others}")
    parser.add_argument(
        "--viewers", type=int, help="how many watch (fanout, profile, scale, storm, memory, churn, garbage)"
    )
    parser.add_argument("--seconds", type=int, help="how long is measured (fanout, lipsync, profile, scale)")
    parser.add_argument("--rounds", type=int, help="how often (fanout, garbage)")
    parser.add_argument("--minutes", type=float, help="how long (churn)")
    parser.add_argument("--seed", type=int, default=1, help="who comes and goes when (churn), what comes (hostile)")
    parser.add_argument("--camera", action="store_true", help="keyframes as large as a camera's (scale, storm, memory)")
    parser.add_argument("--publish", action="store_true", help="write the figures into tests/README.md (hostile)")
    return parser


def _name(name: str) -> str:
    if name not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(f"there is no {name}")
    return name


if __name__ == "__main__":
    sys.exit(main())
