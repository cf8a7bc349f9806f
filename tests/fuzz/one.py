"""`python -m tests.fuzz.one NAME [LIBFUZZER OPTIONS]`: run atheris on one surface until an input causes a failure."""

from __future__ import annotations

import logging
import sys

import atheris

# atheris instruments modules for coverage when they are imported.
with atheris.instrument_imports(include=["broadcaster", "aioice", "aiortc.sdp", "aiortc.rtp"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer, which exits the process."""
    name = sys.argv.pop(1)
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, TARGETS[name].take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
