"""PURE. One button: edges in, presses out."""

from __future__ import annotations

from enum import Enum, auto

from broadcaster.devices.panel.debounce import Debouncer, Settled

HOLD = 3.0
"""Seconds from which on a press is a long one."""


class Press(Enum):
    """What a finger did."""

    SHORT = auto()
    """Pressed and let go: counts on release, so that a long press can mean something else."""
    LONG = auto()
    """Held for `HOLD`: counts at once, and its release means nothing."""


class Button:
    """One button that was `pressed`, or not, when the daemon started: then it means nothing until it is let go."""

    def __init__(self, pressed: bool) -> None:
        self._debouncer = Debouncer(pressed)
        self._down_at: float | None = None

    @property
    def due(self) -> float | None:
        """When to `look` at the pin; None while nothing is going on."""
        if self._debouncer.due is not None or self._down_at is None:
            return self._debouncer.due
        return self._down_at + HOLD

    def edge(self, level: bool, at: float) -> Press | None:
        """The contact closed (`level` true) or opened, at the time `at`."""
        return self._take(self._debouncer.edge(level, at))

    def look(self, level: bool, now: float) -> Press | None:
        """The contact is closed now (`level` true), or open."""
        press = self._take(self._debouncer.look(level, now))
        resting = self._debouncer.due is None
        if resting and self._down_at is not None and now >= self._down_at + HOLD:
            self._down_at = None
            return Press.LONG
        return press

    def _take(self, settled: Settled | None) -> Press | None:
        if settled is None:
            return None
        began, self._down_at = self._down_at, settled.at if settled.pressed else None
        if settled.pressed or began is None:
            return None
        return Press.SHORT if settled.at < began + HOLD else Press.LONG
