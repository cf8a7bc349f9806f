"""Recognition of short and long presses of a button from its edges. Pure."""

from __future__ import annotations

from enum import Enum, auto

from broadcaster.devices.panel.debounce import Debouncer, Settled

HOLD = 3.0
"""Minimum duration of a long press in seconds."""

CLIP_HOLD = 1.0
"""The same if a long press saves a clip: what it is for is over, and a wrong one does no harm."""


class Press(Enum):
    """The kind of a press."""

    SHORT = auto()
    """Pressed and released: reported on release, so that a long press can mean something else."""
    LONG = auto()
    """Held for long: reported at once; its release is ignored."""


class Button:
    """A button; if `pressed` at the start, it is ignored until released. `hold` is how long a long press is."""

    def __init__(self, pressed: bool, hold: float = HOLD) -> None:
        self._hold = hold
        self._debouncer = Debouncer(pressed)
        self._down_at: float | None = None

    @property
    def due(self) -> float | None:
        """When to call `poll` with the level of the pin; None while idle."""
        if self._debouncer.due is not None or self._down_at is None:
            return self._debouncer.due
        return self._down_at + self._hold

    def edge(self, level: bool, at: float) -> Press | None:
        """Process an edge: the contact closed (`level` true) or opened at time `at`."""
        return self._process(self._debouncer.edge(level, at))

    def poll(self, level: bool, now: float) -> Press | None:
        """Process the level of the pin: the contact is closed now (`level` true), or open."""
        press = self._process(self._debouncer.poll(level, now))
        idle = self._debouncer.due is None
        if idle and self._down_at is not None and now >= self._down_at + self._hold:
            self._down_at = None
            return Press.LONG
        return press

    def _process(self, settled: Settled | None) -> Press | None:
        if settled is None:
            return None
        pressed_at, self._down_at = self._down_at, settled.at if settled.pressed else None
        if settled.pressed or pressed_at is None:
            return None
        return Press.SHORT if settled.at < pressed_at + self._hold else Press.LONG
