"""The real clock."""

from __future__ import annotations

import time


class SystemClock:
    """`ports.Clock` of this machine."""

    def monotonic(self) -> float:
        """Seconds since boot, never set back."""
        return time.monotonic()

    def unix(self) -> float:
        """Wall-clock seconds."""
        return time.time()
