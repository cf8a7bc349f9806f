"""The system clock."""

from __future__ import annotations

import time


class SystemClock:
    """The `ports.Clock` of the operating system."""

    def monotonic(self) -> float:
        """Return monotonic seconds; never set back."""
        return time.monotonic()

    def unix(self) -> float:
        """Return wall-clock seconds since the Unix epoch."""
        return time.time()
