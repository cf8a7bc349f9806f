"""`python -m tests.bench [NAME …] [OPTIONS]`: run measurements (default: all quick ones) and print the results."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.bench import (
    churn,
    encoder,
    fanout,
    formats,
    garbage,
    hostile,
    joining,
    media,
    narrow,
    panel,
    resources,
    scale,
    storm,
    timing,
    traces,
    whep,
)
from tests.bench.measurement import Options, table

QUICK = {
    "joining": joining.measure,
    "latency": timing.measure_latency,
    "resources": resources.measure,
    "fanout": fanout.measure,
    "lipsync": timing.measure_lipsync,
}
ONLY_WHEN_NAMED = {
    "encoder": encoder.measure,
    "formats": formats.measure,
    "panel": panel.measure,
    "profile": fanout.measure_profile,
    "scale": scale.measure,
    "storm": storm.measure,
    "memory": scale.measure_memory,
    "churn": churn.measure,
    "garbage": garbage.measure,
    "hostile": hostile.measure,
    "media": media.measure,
    "narrow": narrow.measure,
    "traces": traces.measure,
    "whep": whep.measure,
}
MEASUREMENTS = QUICK | ONLY_WHEN_NAMED


def main() -> int:
    """Run one measurement after the other, because they share the machine. Return 1 if something failed."""
    parsed = vars(_parser().parse_args())
    names = parsed.pop("names") or list(QUICK)
    failed = False
    for name in names:
        results = asyncio.run(MEASUREMENTS[name](Options(**parsed)))
        print(table(results), flush=True)
        failed |= any(result.failed for result in results)
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    quick, others = ", ".join(QUICK), ", ".join(ONLY_WHEN_NAMED)
    parser.add_argument("names", nargs="*", metavar="NAME", type=_name, help=f"{quick} (the default), {others}")
    parser.add_argument(
        "--viewers", type=int, help="number of viewers (fanout, formats, profile, scale, storm, memory, churn, garbage)"
    )
    parser.add_argument(
        "--seconds",
        type=int,
        help="length of the measurement (fanout, formats, lipsync, narrow, profile, scale, traces)",
    )
    parser.add_argument("--rounds", type=int, help="number of rounds (encoder, fanout, formats, garbage, whep)")
    parser.add_argument("--minutes", type=float, help="length of the measurement (churn)")
    parser.add_argument("--seed", type=int, default=1, help="seed of joins (churn), input (hostile), traces")
    parser.add_argument("--camera", action="store_true", help="keyframes as large as a camera's (scale, storm, memory)")
    parser.add_argument("--within", type=float, help="seconds within which all viewers join (scale)")
    parser.add_argument("--light", action="store_true", help="viewers that only count packets (scale)")
    parser.add_argument("--publish", action="store_true", help="write the results into tests/README.md (hostile)")
    return parser


def _name(name: str) -> str:
    if name not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(f"unknown measurement: {name}")
    return name


if __name__ == "__main__":
    sys.exit(main())
