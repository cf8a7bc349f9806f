"""The pins of the 40-pin header, by gpiozero: the only file that knows it, imported when a panel is opened."""

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


_OLDEST = 5.0
"""Seconds; an edge said to be older comes from a kernel whose edges bear another clock's time."""

Changed = Callable[[bool, float], None]
"""An edge: whether the contact closed, and how many seconds ago."""


class ButtonPin:
    """A contact; `changed` is called at each of its edges, in the pins' own thread."""

    def __init__(self, device: Any, changed: Changed) -> None:
        self._device = device
        # The age goes by the kernel's own time of the edge: this thread may have had to wait for its turn.
        device.when_activated = lambda: changed(True, _age(device.active_time))
        device.when_deactivated = lambda: changed(False, _age(device.inactive_time))

    def read(self) -> bool:
        """Whether it is closed now."""
        return bool(self._device.is_active)


class Pins:
    """The pins that one panel takes.

    `factory` is gpiozero's way to the chip. Every method but `close` raises `PanelError`, in words for the owner.
    """

    def __init__(self, factory: Any, settings: PanelSettings) -> None:
        self._factory = factory
        self._settings = settings
        self._devices: list[Any] = []

    def button(self, number: int, changed: Changed) -> ButtonPin:
        """Take a pin with a button at it."""
        pull = _PULLS[self._settings.pull]
        # gpiozero takes a level from the owner only where no resistor says it; `bounce_time` would lose edges.
        level = self._settings.button_active == "high" if pull is None else None
        with _in_words(f"GPIO {number}"):
            device = gpiozero.DigitalInputDevice(
                number, pull_up=pull, active_state=level, bounce_time=None, pin_factory=self._factory
            )
            self._devices.append(device)
            return ButtonPin(device, changed)

    def lamp(self, number: int) -> Callable[[bool], None]:
        """Take a pin with a lamp at it, dark; returns what switches it."""
        high = self._settings.lamp_active == "high"
        with _in_words(f"GPIO {number}"):
            device = gpiozero.OutputDevice(number, active_high=high, initial_value=False, pin_factory=self._factory)
        self._devices.append(device)
        return lambda lit: device.on() if lit else device.off()

    def close(self) -> None:
        """Give all pins back, as inputs; idempotent."""
        while self._devices:
            self._devices.pop().close()
        self._factory.close()


def _age(seconds: float | None) -> float:
    return seconds if seconds is not None and 0 <= seconds <= _OLDEST else 0.0


def open_pins(settings: PanelSettings) -> Pins:
    """Find the chip behind the header. Raises `PanelError` where there is none, or its library is missing."""
    with _in_words("the pins"):
        return Pins(pin_factory(), settings)


def pin_factory() -> Any:
    """The way to the chip: lgpio, which every board and system of today has, or what $GPIOZERO_PIN_FACTORY names.

    gpiozero's own choice would fall back, silently, to libraries that do not work on the newer boards.
    """
    with _room_for_lgpio():
        if os.environ.get("GPIOZERO_PIN_FACTORY"):
            gpiozero.Device.ensure_pin_factory()
            named, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, None
            return named
        from gpiozero.pins.lgpio import LGPIOFactory  # type: ignore[import-untyped]  # noqa: PLC0415

        return LGPIOFactory()


@contextlib.contextmanager
def _room_for_lgpio() -> Iterator[None]:
    """Importing lgpio leaves a FIFO in the working directory, which a service may not write to."""
    with tempfile.TemporaryDirectory(prefix="broadcaster-") as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Turn what these libraries raise into `PanelError`."""
    try:
        yield
    except gpiozero.PinUnknownPi:
        raise PanelError("this is no Raspberry Pi: it has no pins") from None
    except ImportError as error:
        raise PanelError(f"the library for the pins cannot be loaded ({error}): {_INSTALL}") from error
    except (gpiozero.GPIOZeroError, OSError, *_errors_of_lgpio()) as error:
        why = f"{what} cannot be used: {error}"
        raise PanelError(f"{why}; another program may have it, or the user is not in the group gpio") from error


def _errors_of_lgpio() -> tuple[type[Exception], ...]:
    """Its one exception, if it is loaded: a plain `Exception`, so no other type would catch it."""
    lgpio = sys.modules.get("lgpio")
    return (lgpio.error,) if lgpio else ()
