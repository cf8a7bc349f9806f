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

    `pressed` is the stable state; `due` is when to call `poll` with the level of the pin, None while idle.
    """

    def __init__(self, pressed: bool) -> None:
        self.pressed = pressed
        self.due: float | None = None
        self._level = pressed
        self._since = 0.0
        self._stable_at = 0.0
        self._contradicted_at: float | None = None

    def edge(self, level: bool, at: float) -> Settled | None:
        """Process a change to `level` at time `at`; return the state that became stable before it, if any."""
        settled = self._settle(at)
        self._set_level(level, at, at)
        return settled

    def poll(self, level: bool, now: float) -> Settled | None:
        """Process the level of the pin now; return the state that has become stable, if any."""
        if level is not self._level:
            return self._contradict(level, now)
        self._contradicted_at = None
        settled = self._settle(now)
        if now >= self._stable_at:
            self.due = None
        return settled

    def _contradict(self, level: bool, now: float) -> Settled | None:
        """Handle a level that contradicts the last edge: the next edge is pending, or was missed if none arrives."""
        if self._contradicted_at is None:
            self._contradicted_at = now
            self.due = now + STABLE
        elif self.due is not None and now >= self.due:
            # A press whose release edge was missed counts as short, because a long one may shut down the Pi.
            self._set_level(level, self._contradicted_at if level else self._since, self._contradicted_at)
            settled = self._settle(now)
            self.due = None
            return settled
        return None

    def _set_level(self, level: bool, since: float, seen_at: float) -> None:
        self._level, self._since = level, since
        self._stable_at = self.due = seen_at + STABLE
        self._contradicted_at = None

    def _settle(self, now: float) -> Settled | None:
        if self._level is self.pressed or now < self._stable_at:
            return None
        self.pressed = self._level
        return Settled(self._level, self._since)
