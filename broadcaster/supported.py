"""Which Pythons and machines the daemon runs on: `python3 broadcaster/supported.py`, before anything is installed."""

from __future__ import annotations

import sys

OLDEST = (3, 11)
TOO_NEW = (3, 14)
_BITS_64 = 2**63 - 1


def unsupported(version: tuple[int, int], largest_size: int) -> str | None:
    """Say in one line why a Python of that version and `sys.maxsize` will not do; None if it does."""
    if largest_size < _BITS_64:
        return "A 64-bit system is needed: the libraries for 32-bit ARM come without libx264 and libsrtp"
    if not OLDEST <= version < TOO_NEW:
        return f"Python 3.11 to 3.13 is needed, and this is {version[0]}.{version[1]}: make PYTHON=python3.12"
    return None


if __name__ == "__main__":
    sys.exit(unsupported(sys.version_info[:2], sys.maxsize))
