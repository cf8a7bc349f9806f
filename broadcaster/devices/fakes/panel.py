"""Buttons to press and lamps to look at, in memory."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.errors import PanelError
from broadcaster.model.stream import StreamState
from broadcaster.ports import Control


class FakePanel:
    """`ports.Panel` without pins: `press` is the finger, the lists are all that the lamps have said since `open`.

    `shown` holds states, `muted` what was said of the sound with each, `viewers` the numbers for the second lamp,
    and `acknowledged` counts the flickers. `missing` on request: `open` fails as on a machine without pins.
    """

    def __init__(self) -> None:
        self.missing = False
        self.shown: list[StreamState] = []
        self.muted: list[bool] = []
        self.viewers: list[int] = []
        self.acknowledged = 0
        self._used: Callable[[Control], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the buttons are watched."""
        return self._used is not None

    def open(self, used: Callable[[Control], None]) -> None:
        """Start watching the buttons.

        Raises `PanelError` when `missing`, and RuntimeError if they are watched already: pins are taken once.
        """
        if self._used:
            raise RuntimeError("the panel is open already")
        if self.missing:
            raise PanelError("scripted: no pins here")
        for told in (self.shown, self.muted, self.viewers):
            told.clear()
        self.acknowledged = 0
        self._used = used

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Let the tally lamp say `state`; nothing can be said once the pins are released."""
        if self._used:
            self.shown.append(state)
            self.muted.append(muted)

    def show_viewers(self, count: int) -> None:
        """Let the second lamp say whether someone watches."""
        if self._used:
            self.viewers.append(count)

    def acknowledge(self) -> None:
        """Let the tally lamp flicker."""
        if self._used:
            self.acknowledged += 1

    def close(self) -> None:
        """Lamps off, pins released; idempotent."""
        self._used = None

    def press(self, control: Control = Control.TOGGLE) -> None:
        """Press a button and let go; nobody notices while the panel is closed."""
        if self._used:
            self._used(control)
