"""A clock that is advanced by hand."""

from __future__ import annotations


class FakeClock:
    """`ports.Clock` that stands still until advanced. As with the real one, only the wall clock may be set back."""

    def __init__(self, monotonic: float = 1000.0, unix: float = 1_700_000_000.0) -> None:
        self._monotonic = monotonic
        self._unix = unix

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        return self._monotonic

    def unix(self) -> float:
        """Return wall-clock seconds since the Unix epoch."""
        return self._unix

    def advance(self, seconds: float) -> None:
        """Advance both clocks. Raises ValueError for a negative time."""
        if seconds < 0:
            raise ValueError(f"monotonic time does not go back by {-seconds:g} s")
        self._monotonic += seconds
        self._unix += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP may; monotonic time is not affected."""
        self._unix += seconds
