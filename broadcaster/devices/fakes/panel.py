"""Buttons and LEDs in memory."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.errors import PanelError
from broadcaster.model.stream import StreamState
from broadcaster.ports import Control


class FakePanel:
    """`ports.Panel` without pins: `press` presses a button, the lists record what was shown since `open`.

    `shown` holds the states, `muted` whether the audio was muted with each, `viewers` the numbers for the second LED;
    `acknowledged` counts the flickers. With `missing`, `open` fails as on a machine without pins.
    """

    def __init__(self) -> None:
        self.missing = False
        self.shown: list[StreamState] = []
        self.muted: list[bool] = []
        self.viewers: list[int] = []
        self.acknowledged = 0
        self._on_control: Callable[[Control], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the buttons are watched."""
        return self._on_control is not None

    def open(self, on_control: Callable[[Control], None]) -> None:
        """Start watching the buttons.

        Raises `PanelError` if `missing`, and RuntimeError if it is open already: pins cannot be opened twice.
        """
        if self._on_control:
            raise RuntimeError("the panel is open already")
        if self.missing:
            raise PanelError("scripted: no pins here")
        for recorded in (self.shown, self.muted, self.viewers):
            recorded.clear()
        self.acknowledged = 0
        self._on_control = on_control

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Record what the tally light shows; nothing is shown while the panel is closed."""
        if self._on_control:
            self.shown.append(state)
            self.muted.append(muted)

    def show_viewers(self, count: int) -> None:
        """Record the number of viewers for the second LED."""
        if self._on_control:
            self.viewers.append(count)

    def acknowledge(self) -> None:
        """Count a flicker of the tally light."""
        if self._on_control:
            self.acknowledged += 1

    def close(self) -> None:
        """Stop watching the buttons; idempotent."""
        self._on_control = None

    def press(self, control: Control = Control.TOGGLE) -> None:
        """Press and release a button; ignored while the panel is closed."""
        if self._on_control:
            self._on_control(control)
