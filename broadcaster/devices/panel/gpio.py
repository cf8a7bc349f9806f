"""The panel: buttons and LEDs on GPIO pins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from broadcaster.devices.panel import button, pins
from broadcaster.devices.panel.button import Press
from broadcaster.devices.panel.patterns import pattern
from broadcaster.devices.panel.tally_light import TallyLight
from broadcaster.devices.panel.watch import ButtonWatch
from broadcaster.model.stream import StreamState
from broadcaster.ports import Clock, Control
from broadcaster.settings import PanelSettings


class GpioPanel:
    """`ports.Panel` on the configured pins."""

    def __init__(self, settings: PanelSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._exit_stack = ExitStack()
        self._tally: TallyLight | None = None
        self._watch_led: Callable[[bool], None] | None = None

    def open(self, on_control: Callable[[Control], None]) -> None:
        """Open the pins and watch the buttons; `on_control` is called on the event loop. Raises `PanelError`."""
        with ExitStack() as stack:
            opened = pins.open_pins(self._settings)
            stack.callback(opened.close)
            self._open_leds(opened, stack)
            hold = button.CLIP_HOLD if self._settings.hold_action == "clip" else button.HOLD
            for number, short in self._buttons():
                watch = ButtonWatch(opened, number, self._clock, partial(_notify, on_control, short), hold)
                stack.callback(watch.close)
            self._exit_stack = stack.pop_all()

    def show(self, state: StreamState, *, muted: bool) -> None:
        """Show `state` on the tally light, and whether the audio is muted."""
        if self._tally is not None:
            self._tally.show(pattern(state, muted=muted))

    def show_viewers(self, count: int) -> None:
        """Show on the second LED whether anyone is watching."""
        if self._watch_led is not None:
            self._watch_led(count > 0)

    def acknowledge(self) -> None:
        """Flicker the tally light briefly."""
        if self._tally is not None:
            self._tally.acknowledge()

    def close(self) -> None:
        """Switch the LEDs off and release the pins; idempotent."""
        self._tally = self._watch_led = None
        self._exit_stack.close()

    def _buttons(self) -> list[tuple[int, Control]]:
        """Return the pins of buttons, and what a short press of each means."""
        settings = self._settings
        buttons = [
            (settings.button, Control.TOGGLE),
            (settings.start, Control.START),
            (settings.stop, Control.STOP),
        ]
        return [(number, control) for number, control in buttons if number is not None]

    def _open_leds(self, opened: pins.Pins, stack: ExitStack) -> None:
        if self._settings.lamp is not None:
            self._tally = TallyLight(opened.led(self._settings.lamp), self._clock)
            stack.callback(self._tally.close)
        if self._settings.watch_lamp is not None:
            self._watch_led = opened.led(self._settings.watch_lamp)
            stack.callback(self._watch_led, False)


def _notify(on_control: Callable[[Control], None], short: Control, press: Press) -> None:
    on_control(short if press is Press.SHORT else Control.HOLD)
