"""`python -m tests.fuzz [NAME …] [--seconds 60]`: fuzz each surface, starting with its seeds; exit code 1 on a failure.

Input that causes a failure is kept in `.fuzz/NAME/`, beside the corpus. `python -m tests.fuzz.one NAME FILE`
repeats it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS

FOLDER = Path(__file__).parents[2] / ".fuzz"
MAX_INPUT = 20_000
"""Size limit of an input in bytes."""
MAX_SECONDS = 5
"""Seconds that one input may take; generous, because the machine may be busy."""


def main() -> int:
    """Fuzz the surfaces one after the other, and print one line for each."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="seconds per surface")
    options = parser.parse_args()
    unknown = set(options.names) - set(TARGETS)
    if unknown:
        parser.error(f"unknown surface: {', '.join(sorted(unknown))}")
    failed = [name for name in options.names or TARGETS if not _fuzz(name, options.seconds)]
    return 1 if failed else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Fuzz one surface; return whether no input caused a failure."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        (folder / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(folder), f"-max_total_time={seconds}"]
    command += [
        f"-max_len={MAX_INPUT}",
        f"-timeout={MAX_SECONDS}",
        f"-artifact_prefix={folder}/failure-",
        "-verbosity=1",
    ]
    command += ["-print_final_stats=1"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd=FOLDER.parent)
    output = finished.stdout.decode("utf-8", "replace")
    runs, memory = _stat(output, "number_of_executed_units"), _stat(output, "peak_rss_mb")
    verdict = "passed" if finished.returncode == 0 else "FAILED"
    print(f"{name:12} {verdict}: {runs} inputs in {seconds} s, {memory} MB", flush=True)
    if finished.returncode:
        print(output[-4000:], flush=True)
    return finished.returncode == 0


def _stat(output: str, name: str) -> str:
    match = re.search(rf"{name}:\s+(\d+)", output)
    return match[1] if match else "?"


if __name__ == "__main__":
    sys.exit(main())
