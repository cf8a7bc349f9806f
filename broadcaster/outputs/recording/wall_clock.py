"""Whether the time of day is right. Pure: the clocks are arguments.

A Pi has no battery-backed clock: it starts with the time at which it was switched off, and learns the right one from
the network, minutes later or never. Recordings made before are given the right time then.
"""

from __future__ import annotations

_JUMP = 2.0
"""Seconds by which the clock has to move to count as set; time services move it less than that at once."""
_STABLE = 3600.0
"""Seconds without a jump from which an unsynchronised clock is trusted to tell the age of recordings."""


class WallClock:
    """Follows the difference between the time of day and the monotonic clock."""

    def __init__(self) -> None:
        self.is_set = False
        self._offset: float | None = None
        self._since = 0.0
        self._has_jumped = False

    def update(self, unix: float, monotonic: float, *, synchronized: bool) -> bool:
        """Take both clocks; return whether the time of day has just become right."""
        offset = unix - monotonic
        if self._offset is None:
            self._since = monotonic
        elif abs(offset - self._offset) > _JUMP:
            self._has_jumped = True
            self.is_set = False
        self._offset = offset
        became_set = synchronized and not self.is_set
        self.is_set = synchronized
        return became_set

    def unix(self, monotonic: float) -> float:
        """Return the time of day at a moment of the monotonic clock, in Unix seconds."""
        return monotonic + (self._offset or 0.0)

    def tells_age(self, monotonic: float) -> bool:
        """Return whether recordings may be deleted for their age."""
        return self.is_set or (not self._has_jumped and monotonic - self._since >= _STABLE)
