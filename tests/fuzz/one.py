"""`python -m tests.fuzz.one NAME [LIBFUZZER OPTIONS]`: feed one surface with what atheris makes up, until it breaks."""

from __future__ import annotations

import logging
import sys

import atheris

# What is to be covered is instrumented while it is imported.
with atheris.instrument_imports(include=["broadcaster", "aioice", "aiortc.sdp", "aiortc.rtp"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Does not come back: libFuzzer ends the process."""
    name = sys.argv.pop(1)
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, TARGETS[name].take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
