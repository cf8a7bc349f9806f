"""`python -m tests.arm [RELEASE …]`: run every step on each release of Debian, print the table; 1 when one failed."""

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
    "viewers outside": viewers.watch,
    "pure tests": steps.pure_tests,
    "make install": steps.make_install,
}
_NEEDED = 2
"""Without the first two steps there is nothing to try."""

_WIDTH = 62


def main() -> int:
    """One release after the other: they share the processor."""
    parser = argparse.ArgumentParser("python -m tests.arm", description=__doc__)
    parser.add_argument("releases", nargs="*", choices=[*RELEASES, []], help="all without")
    releases = parser.parse_args().releases or list(RELEASES)
    if os.geteuid() != 0:
        sys.exit("Building a system for another processor needs root. Please type: sudo make test-arm")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # by way of all clean-up
    failed, rows = False, {}
    with aarch64():
        for release in releases:
            rows[release], passed = _try(release)
            failed |= not passed
    for release, found in rows.items():
        print(f"\n{release}, aarch64, emulated by qemu-user\n{_table(found)}")
    return int(failed)


def _try(release: str) -> tuple[dict[str, str], bool]:
    """What each step found, and whether all of them passed."""
    found: dict[str, str] = {}
    passed = True
    folder = Path(tempfile.mkdtemp(prefix=f"broadcaster-arm-{release}-"))
    try:
        tree = Tree(folder / "tree", release)
        for number, (name, step) in enumerate(STEPS.items()):
            print(f"{release}: {name} …", flush=True)
            began = time.monotonic()
            try:
                found[name] = step(tree)
            except (AssertionError, OSError, subprocess.SubprocessError, TimeoutError) as error:
                print(error, flush=True)
                found[name], passed = f"FAILED: {_last_line(error)}", False
                if number < _NEEDED:
                    break
            print(f"{release}: {name}: {found[name]} ({time.monotonic() - began:.0f} s)", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return found, passed


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"


def _table(found: Mapping[str, str]) -> str:
    width = max(map(len, found))
    lines = []
    for name, text in found.items():
        first, *rest = textwrap.wrap(text, _WIDTH) or [""]
        lines += [f"  {name:{width}}  {first}", *(f"  {'':{width}}  {line}" for line in rest)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
