"""`python -m tests.fuzz [NAME …] [--seconds 60]`: each surface for so long, from its seeds; 1 when one breaks.

What broke it is kept in `.fuzz/NAME/`, beside all that was found worth keeping; `python -m tests.fuzz.one NAME FILE`
does it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(__file__).parents[2] / ".fuzz"
LARGEST = 20_000
"""Bytes of one input."""
SLOWEST = 5
"""Seconds that one input may take, on a machine that is shared."""


def main() -> int:
    """Print one line for each surface."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(TARGETS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    broken = [name for name in asked.names or TARGETS if not _fuzz(name, asked.seconds)]
    return 1 if broken else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Whether it held."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(folder), f"-max_total_time={seconds}"]
    command += [f"-max_len={LARGEST}", f"-timeout={SLOWEST}", f"-artifact_prefix={folder}/broken-", "-verbosity=1"]
    command += ["-print_final_stats=1"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=FOLDER.parent)
    said = ended.stdout.decode("utf-8", "replace")
    runs, memory = _stat(said, "number_of_executed_units"), _stat(said, "peak_rss_mb")
    word = "held" if ended.returncode == 0 else "BROKEN"
    print(f"{name:12} {word}: {runs} inputs in {seconds} s, {memory} MB", flush=True)
    if ended.returncode:
        print(said[-4000:], flush=True)
    return ended.returncode == 0


def _stat(said: str, name: str) -> str:
    found = re.search(rf"{name}:\s+(\d+)", said)
    return found[1] if found else "?"


if __name__ == "__main__":
    sys.exit(main())
