"""Debouncing of a contact. Pure."""

from __future__ import annotations

from dataclasses import dataclass

STABLE = 0.025
"""Seconds without an edge after which a level is stable; push buttons bounce for 1 to 10 ms."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A stable state of the contact: `pressed` or not since `at` (monotonic seconds)."""

    pressed: bool
    at: float


class Debouncer:
    """Processes edges by their own timestamps, so that late delivery of an edge makes no difference.

    `pressed` is the stable state; `due` is when to call `look` with the level of the pin, None while idle.
    """

    def __init__(self, pressed: bool) -> None:
        self.pressed = pressed
        self.due: float | None = None
        self._level = pressed
        self._since = 0.0
        self._rests_at = 0.0
        self._doubted_at: float | None = None

    def edge(self, level: bool, at: float) -> Settled | None:
        """Process a change to `level` at time `at`; return the state that became stable before it, if any."""
        settled = self._settle(at)
        self._go_to(level, at, at)
        return settled

    def look(self, level: bool, now: float) -> Settled | None:
        """Process the level of the pin now; return the state that has become stable, if any."""
        if level is not self._level:
            return self._doubt(level, now)
        self._doubted_at = None
        settled = self._settle(now)
        if now >= self._rests_at:
            self.due = None
        return settled

    def _doubt(self, level: bool, now: float) -> Settled | None:
        """Handle a level that contradicts the last edge: the next edge is pending, or was missed if none arrives."""
        if self._doubted_at is None:
            self._doubted_at = now
            self.due = now + STABLE
        elif self.due is not None and now >= self.due:
            # A press whose release edge was missed counts as short, because a long one may shut down the Pi.
            self._go_to(level, self._doubted_at if level else self._since, self._doubted_at)
            settled = self._settle(now)
            self.due = None
            return settled
        return None

    def _go_to(self, level: bool, since: float, seen_at: float) -> None:
        self._level, self._since = level, since
        self._rests_at = self.due = seen_at + STABLE
        self._doubted_at = None

    def _settle(self, now: float) -> Settled | None:
        if self._level is self.pressed or now < self._rests_at:
            return None
        self.pressed = self._level
        return Settled(self._level, self._since)
