"""Recognition of short and long presses of a button from its edges. Pure."""

from __future__ import annotations

from enum import Enum, auto

from broadcaster.devices.panel.debounce import Debouncer, Settled

HOLD = 3.0
"""Minimum duration of a long press in seconds."""


class Press(Enum):
    """The kind of a press."""

    SHORT = auto()
    """Pressed and released: reported on release, so that a long press can mean something else."""
    LONG = auto()
    """Held for `HOLD`: reported at once; its release is ignored."""


class Button:
    """A button; if `pressed` at the start, it is ignored until released."""

    def __init__(self, pressed: bool) -> None:
        self._debouncer = Debouncer(pressed)
        self._down_at: float | None = None

    @property
    def due(self) -> float | None:
        """When to call `poll` with the level of the pin; None while idle."""
        if self._debouncer.due is not None or self._down_at is None:
            return self._debouncer.due
        return self._down_at + HOLD

    def edge(self, level: bool, at: float) -> Press | None:
        """Process an edge: the contact closed (`level` true) or opened at time `at`."""
        return self._process(self._debouncer.edge(level, at))

    def poll(self, level: bool, now: float) -> Press | None:
        """Process the level of the pin: the contact is closed now (`level` true), or open."""
        press = self._process(self._debouncer.poll(level, now))
        idle = self._debouncer.due is None
        if idle and self._down_at is not None and now >= self._down_at + HOLD:
            self._down_at = None
            return Press.LONG
        return press

    def _process(self, settled: Settled | None) -> Press | None:
        if settled is None:
            return None
        pressed_at, self._down_at = self._down_at, settled.at if settled.pressed else None
        if settled.pressed or pressed_at is None:
            return None
        return Press.SHORT if settled.at < pressed_at + HOLD else Press.LONG
