"""A clock that stands until it is told to go on."""

from __future__ import annotations


class FakeClock:
    """`ports.Clock` by hand. Monotonic time never goes back, as the real one; the wall clock may jump."""

    def __init__(self, monotonic: float = 1000.0, unix: float = 1_700_000_000.0) -> None:
        self._monotonic = monotonic
        self._unix = unix

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def unix(self) -> float:
        """Wall-clock seconds."""
        return self._unix

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks. Raises ValueError for a negative time."""
        if seconds < 0:
            raise ValueError(f"monotonic time does not go back by {-seconds:g} s")
        self._monotonic += seconds
        self._unix += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP may; monotonic time does not notice."""
        self._unix += seconds
