"""`python -m tests.arm [RELEASE …]`: run all steps on each Debian release and print a table; exit code 1 on failure."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path

from tests.arm import steps, viewers
from tests.arm.emulator import aarch64
from tests.arm.tree import Tree
from tests.system.trees import RELEASES

STEPS: Mapping[str, steps.Step] = {
    "system": steps.system,
    "pip install": steps.pip_install,
    "private names": steps.private_names,
    "SRTP and GSO": steps.srtp_and_offload,
    "viewers on host": viewers.watch,
    "unit tests": steps.unit_tests,
    "make install": steps.make_install,
}
_REQUIRED_STEPS = 2
"""If one of the first two steps fails, the others are impossible."""

_WIDTH = 62


def main() -> int:
    """Test one release after the other, because they share the processor."""
    parser = argparse.ArgumentParser("python -m tests.arm", description=__doc__)
    parser.add_argument("releases", nargs="*", choices=[*RELEASES, []], help="default: all")
    releases = parser.parse_args().releases or list(RELEASES)
    if os.geteuid() != 0:
        sys.exit("Building a system for another architecture needs root: sudo make test-arm")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))  # exit through all cleanup handlers
    failed, rows = False, {}
    with aarch64():
        for release in releases:
            rows[release], passed = _test(release)
            failed |= not passed
    for release, results in rows.items():
        print(f"\n{release}, aarch64, emulated by qemu-user\n{_table(results)}")
    return int(failed)


def _test(release: str) -> tuple[dict[str, str], bool]:
    """Return the result of each step, and whether all of them passed."""
    results: dict[str, str] = {}
    passed = True
    folder = Path(tempfile.mkdtemp(prefix=f"broadcaster-arm-{release}-"))
    try:
        tree = Tree(folder / "tree", release)
        for number, (name, step) in enumerate(STEPS.items()):
            print(f"{release}: {name} …", flush=True)
            began = time.monotonic()
            try:
                results[name] = step(tree)
            except (AssertionError, OSError, subprocess.SubprocessError, TimeoutError) as error:
                print(error, flush=True)
                results[name], passed = f"FAILED: {_last_line(error)}", False
                if number < _REQUIRED_STEPS:
                    break
            print(f"{release}: {name}: {results[name]} ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return results, passed


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"


def _table(results: Mapping[str, str]) -> str:
    width = max(map(len, results))
    lines = []
    for name, text in results.items():
        first, *rest = textwrap.wrap(text, _WIDTH) or [""]
        lines += [f"  {name:{width}}  {first}", *(f"  {'':{width}}  {line}" for line in rest)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
