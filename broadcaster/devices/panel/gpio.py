"""Buttons and LEDs at the Pi's GPIO pins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from broadcaster.devices.panel import pins
from broadcaster.devices.panel.button import Press
from broadcaster.devices.panel.lamp import Lamp
from broadcaster.devices.panel.patterns import pattern
from broadcaster.devices.panel.watch import ButtonWatch
from broadcaster.model.stream import StreamState
from broadcaster.ports import Clock, Control
from broadcaster.settings import PanelSettings


class GpioPanel:
    """The `ports.Panel` at the configured pins."""

    def __init__(self, settings: PanelSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._parts = ExitStack()
        self._tally: Lamp | None = None
        self._watch_lamp: Callable[[bool], None] | None = None

    def open(self, used: Callable[[Control], None]) -> None:
        """Take the pins and start watching; `used` is called on the running event loop. Raises `PanelError`."""
        with ExitStack() as parts:
            taken = pins.open_pins(self._settings)
            parts.callback(taken.close)
            self._take_lamps(taken, parts)
            for number, short in self._buttons():
                watch = ButtonWatch(taken, number, self._clock, partial(_notify, used, short))
                parts.callback(watch.close)
            self._parts = parts.pop_all()

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Show `state` on the tally light, and whether the audio is muted."""
        if self._tally is not None:
            self._tally.show(pattern(state, muted=muted))

    def show_viewers(self, count: int) -> None:
        """Show on the second light whether anyone is watching."""
        if self._watch_lamp is not None:
            self._watch_lamp(count > 0)

    def acknowledge(self) -> None:
        """Let the tally light flicker briefly."""
        if self._tally is not None:
            self._tally.acknowledge()

    def close(self) -> None:
        """Switch the lights off and release the pins; idempotent."""
        self._tally = self._watch_lamp = None
        self._parts.close()

    def _buttons(self) -> list[tuple[int, Control]]:
        """Return the pins with a button, and what a short press of each means."""
        settings = self._settings
        places = [
            (settings.button, Control.TOGGLE),
            (settings.start, Control.START),
            (settings.stop, Control.STOP),
        ]
        return [(number, control) for number, control in places if number is not None]

    def _take_lamps(self, taken: pins.Pins, parts: ExitStack) -> None:
        if self._settings.lamp is not None:
            self._tally = Lamp(taken.lamp(self._settings.lamp), self._clock)
            parts.callback(self._tally.close)
        if self._settings.watch_lamp is not None:
            self._watch_lamp = taken.lamp(self._settings.watch_lamp)
            parts.callback(self._watch_lamp, False)


def _notify(used: Callable[[Control], None], short: Control, press: Press) -> None:
    used(short if press is Press.SHORT else Control.HOLD)
