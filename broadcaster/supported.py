"""Supported Python versions and machines: `python3 broadcaster/supported.py` checks before anything is installed."""

from __future__ import annotations

import sys

OLDEST = (3, 11)
TOO_NEW = (3, 14)
_MAX_SIZE_64_BIT = 2**63 - 1


def unsupported(version: tuple[int, int], max_size: int) -> str | None:
    """Return one line that tells why this Python is not supported, else None; `max_size` is its `sys.maxsize`."""
    if max_size < _MAX_SIZE_64_BIT:
        return "a 64-bit system is needed: the libraries for 32-bit ARM lack libx264 and libsrtp"
    if not OLDEST <= version < TOO_NEW:
        return f"Python 3.11 to 3.13 is needed, this is {version[0]}.{version[1]}; try: make PYTHON=python3.12"
    return None


if __name__ == "__main__":
    sys.exit(unsupported(sys.version_info[:2], sys.maxsize))
