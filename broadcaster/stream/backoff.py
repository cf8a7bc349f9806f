"""How long to wait before the next try: 1, 2, 4 … 30 s."""

from __future__ import annotations

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0


def retry_delay(failures: int) -> float:
    """Seconds to wait after that many failures in a row (one or more)."""
    return min(FIRST_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_DELAY)
