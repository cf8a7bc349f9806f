"""GPIO pins by gpiozero: the only module that uses it, imported only when a panel is made."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import gpiozero  # type: ignore[import-untyped]

from broadcaster.errors import PanelError
from broadcaster.settings import PanelSettings

_INSTALL = "sudo apt install python3-lgpio"
_PULLS = {"up": True, "down": False, "none": None}
_MAX_EDGE_AGE = 5.0
"""Maximum plausible age of an edge in seconds; an older timestamp is of another clock of the kernel."""

EdgeHandler = Callable[[bool, float], None]
"""Takes whether the contact closed, and the age of the edge in seconds."""


class ButtonPin:
    """A contact; `on_edge` is called at each of its edges, in gpiozero's thread."""

    def __init__(self, device: Any, on_edge: EdgeHandler) -> None:
        self._device = device
        # The age is by the kernel's timestamp of the edge, because this thread may have been delayed.
        device.when_activated = lambda: on_edge(True, _edge_age(device.active_time))
        device.when_deactivated = lambda: on_edge(False, _edge_age(device.inactive_time))

    def read(self) -> bool:
        """Return whether the contact is closed now."""
        return bool(self._device.is_active)


class Pins:
    """The pins used by one panel.

    `factory` is gpiozero's pin factory. All methods except `close` raise `PanelError`, with the reason and the fix.
    """

    def __init__(self, factory: Any, settings: PanelSettings) -> None:
        self._factory = factory
        self._settings = settings
        self._devices: list[Any] = []

    def button(self, number: int, on_edge: EdgeHandler) -> ButtonPin:
        """Open a pin as a button."""
        pull = _PULLS[self._settings.pull]
        # gpiozero accepts a level only without a pull resistor, which implies it. `bounce_time` would lose edges.
        active_high = self._settings.button_active == "high" if pull is None else None
        with _panel_errors(f"GPIO {number}"):
            device = gpiozero.DigitalInputDevice(
                number, pull_up=pull, active_state=active_high, bounce_time=None, pin_factory=self._factory
            )
            self._devices.append(device)
            return ButtonPin(device, on_edge)

    def led(self, number: int) -> Callable[[bool], None]:
        """Open a pin as an LED, off; return the function that switches it."""
        active_high = self._settings.lamp_active == "high"
        with _panel_errors(f"GPIO {number}"):
            device = gpiozero.OutputDevice(
                number, active_high=active_high, initial_value=False, pin_factory=self._factory
            )
        self._devices.append(device)
        return lambda lit: device.on() if lit else device.off()

    def close(self) -> None:
        """Release all pins, as inputs; idempotent."""
        while self._devices:
            self._devices.pop().close()
        self._factory.close()


def _edge_age(seconds: float | None) -> float:
    return seconds if seconds is not None and 0 <= seconds <= _MAX_EDGE_AGE else 0.0


def open_pins(settings: PanelSettings) -> Pins:
    """Open the GPIO chip. Raises `PanelError` if there is none, or its library is missing."""
    with _panel_errors("the GPIO chip"):
        return Pins(pin_factory(), settings)


def pin_factory() -> Any:
    """Return gpiozero's pin factory: lgpio, which supports all boards, or the one named by $GPIOZERO_PIN_FACTORY.

    gpiozero's own choice would fall back, silently, to libraries that do not work on the newer boards.
    """
    with _temporary_working_directory():
        if os.environ.get("GPIOZERO_PIN_FACTORY"):
            gpiozero.Device.ensure_pin_factory()
            factory, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, None
            return factory
        from gpiozero.pins.lgpio import LGPIOFactory  # type: ignore[import-untyped]  # noqa: PLC0415

        return LGPIOFactory()


@contextlib.contextmanager
def _temporary_working_directory() -> Iterator[None]:
    """Change to a temporary directory: importing lgpio creates a FIFO there, and a service may not be able to write."""
    with tempfile.TemporaryDirectory(prefix="broadcaster-") as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def _panel_errors(what: str) -> Iterator[None]:
    """Convert errors of gpiozero and lgpio inside the block to `PanelError`."""
    try:
        yield
    except gpiozero.PinUnknownPi:
        raise PanelError("this is no Raspberry Pi: it has no pins") from None
    except ImportError as error:
        raise PanelError(f"the library for the pins cannot be loaded ({error}): {_INSTALL}") from error
    except (gpiozero.GPIOZeroError, OSError, *_lgpio_errors()) as error:
        problem = f"{what} cannot be used: {error}"
        raise PanelError(f"{problem}; another program may have it, or the user is not in the group gpio") from error


def _lgpio_errors() -> tuple[type[Exception], ...]:
    """Return lgpio's one exception, if it is loaded: it derives from `Exception` only, so it must be named."""
    lgpio = sys.modules.get("lgpio")
    return (lgpio.error,) if lgpio else ()
