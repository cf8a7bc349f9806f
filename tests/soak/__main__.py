"""`python -m tests.soak [OPTIONS]`: watch for minutes while faults occur, print the report, and fail if it is bad."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from tests.soak.report import verdict, with_report
from tests.soak.run import Options, SoakRun

README = Path(__file__).parents[1] / "README.md"


def main() -> int:
    """Return 0 if at least 99.9 % of viewer-seconds were live, nothing leaked and no problem occurred."""
    options = _parser().parse_args()
    seed = options.seed if options.seed is not None else int(time.time()) % 1_000_000
    print(f"seed {seed}", flush=True)
    run = SoakRun(
        Options(seed, options.minutes, options.viewers, options.bad_links, options.set, options.tree),
        lambda line: print(line, flush=True),
    )
    if options.bad_links and run.network_problem:
        print(f"no bad links: {run.network_problem}", file=sys.stderr)
        return 2
    try:
        asyncio.run(run.play())
    finally:
        if options.log:
            Path(options.log).write_text(run.log, "utf-8")
    text, passed = verdict(run)
    print(f"\n{text}", flush=True)
    if options.publish:
        README.write_text(with_report(README.read_text("utf-8"), run), "utf-8")
    if options.report:
        Path(options.report).write_text(text + "\n", "utf-8")
    return 0 if passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="length of the run (default 60)")
    parser.add_argument("--seed", type=int, help="seed of the faults (default: random, printed)")
    parser.add_argument("--viewers", type=int, default=10, help="number of viewers (default 10)")
    parser.add_argument(
        "--bad-links", action="store_true", help="half of the viewers have links whose bandwidth, loss and delay change"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the daemon")
    parser.add_argument("--tree", default="", help="folder of another version of the source code, to run its daemon")
    parser.add_argument("--report", help="file for a copy of the tables")
    parser.add_argument("--publish", action="store_true", help="write the result into tests/README.md")
    parser.add_argument("--log", help="file for the daemon's log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
