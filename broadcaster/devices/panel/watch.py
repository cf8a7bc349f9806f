"""Connection of a button's pin, whose edges come from another thread, to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from broadcaster.devices.panel.button import Button, Press
from broadcaster.devices.panel.pins import Pins
from broadcaster.ports import Clock


class ButtonWatch:
    """The button at pin `number`; calls `pressed` on the event loop that created this object, until `close`.

    `hold` is the duration of a long press in seconds.
    """

    def __init__(self, pins: Pins, number: int, clock: Clock, pressed: Callable[[Press], None], hold: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._pressed = pressed
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._pin = pins.button(number, self._on_edge)
        self._button = Button(self._pin.read(), hold)

    def close(self) -> None:
        """Stop watching; idempotent."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _on_edge(self, closed: bool, age: float) -> None:
        """In gpiozero's thread: pass the edge to the loop, with its timestamp."""
        # RuntimeError: the loop is closed, so there is no receiver.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._handle_edge, closed, self._clock.monotonic() - age)

    def _handle_edge(self, closed: bool, at: float) -> None:
        if not self._closed:
            self._process(self._button.edge(closed, at))

    def _poll(self) -> None:
        self._process(self._button.poll(self._pin.read(), self._clock.monotonic()))

    def _process(self, press: Press | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._button.due
        delay = None if due is None else max(0.0, due - self._clock.monotonic())
        self._timer = None if delay is None else self._loop.call_later(delay, self._poll)
        if press is not None:
            self._pressed(press)
