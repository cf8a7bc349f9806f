"""PURE. From the edges of a bouncing contact to what the finger did."""

from __future__ import annotations

from dataclasses import dataclass

STABLE = 0.025
"""Seconds without an edge after which a level counts; contacts of push buttons bounce for 1 to 10 ms."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The contact has come to rest: since `at` (monotonic seconds) it is `pressed`, or not."""

    pressed: bool
    at: float


class Debouncer:
    """Takes edges with their own times, so that one which is heard late is judged as if it had come in time.

    `pressed` is how the contact rests; `due` is when to `look` at the pin, None while nothing is going on.
    """

    def __init__(self, pressed: bool) -> None:
        self.pressed = pressed
        self.due: float | None = None
        self._level = pressed
        self._since = 0.0
        self._rests_at = 0.0
        self._doubted_at: float | None = None

    def edge(self, level: bool, at: float) -> Settled | None:
        """The contact changed to `level` at the time `at`; what had come to rest before that, if anything."""
        settled = self._settle(at)
        self._go_to(level, at, at)
        return settled

    def look(self, level: bool, now: float) -> Settled | None:
        """The pin reads `level` now; what has come to rest by that, if anything."""
        if level is not self._level:
            return self._doubt(level, now)
        self._doubted_at = None
        settled = self._settle(now)
        if now >= self._rests_at:
            self.due = None
        return settled

    def _doubt(self, level: bool, now: float) -> Settled | None:
        """The pin contradicts the last edge: another is on its way, or was missed if none comes in time."""
        if self._doubted_at is None:
            self._doubted_at = now
            self.due = now + STABLE
        elif self.due is not None and now >= self.due:
            # Nobody knows how long a press was whose end was missed: short, as a long one may switch the Pi off.
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
