"""The GPIO pins of the panel: open them as the daemon does, and release them."""

from __future__ import annotations

import asyncio

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.panel import make_panel
from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import captured_logs
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import PanelError
from broadcaster.settings import PanelSettings

_ABOUT = Subject("pins", "Without these pins the live button does nothing, and the tally light stays dark.")
_BUSY = "busy"
"""In the error texts of lgpio and the kernel for a pin that is in use (EBUSY)."""


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    settings = context.settings.panel
    problem = asyncio.run(try_pins(settings)) if settings.enabled else ""
    return [evaluate(settings, problem, running=context.running is not None)]


async def try_pins(settings: PanelSettings) -> str:
    """Open all pins and close them again; return the error, empty if there is none."""
    with captured_logs("broadcaster.devices") as logs:
        panel = make_panel(settings, SystemClock())
    if panel is None:
        return "\n".join(logs) or "the panel is not available"
    try:
        panel.open(lambda _: None)
    except PanelError as error:
        return str(error)
    finally:
        panel.close()
    return ""


def evaluate(settings: PanelSettings, problem: str, *, running: bool) -> CheckResult:
    """Require free pins, or, while the daemon runs, pins that it uses."""
    if not settings.enabled:
        return _ABOUT.ok("not used (panel.enabled = false)")
    if running and _BUSY in problem.lower():
        return _ABOUT.ok("in use by the running broadcaster")
    if problem:
        return _ABOUT.broken(problem, _fix(problem))
    shown = ", ".join(f"{name} on GPIO {number}" for name, number in pins_in_use(settings).items())
    if running:
        fix = "Restart the service, so that it opens the pins:\n  sudo systemctl restart broadcaster"
        return _ABOUT.warning(f"the running broadcaster does not use its pins: {shown}", fix)
    return _ABOUT.ok(f"free: {shown}")


def pins_in_use(settings: PanelSettings) -> dict[str, int]:
    """Return the configured pins by the names of their settings."""
    pins = {name: getattr(settings, name) for name in ("button", "start", "stop", "lamp", "watch_lamp")}
    return {name: number for name, number in pins.items() if number is not None}


def _fix(problem: str) -> str:
    """Return the fix for an error text of the panel."""
    if _BUSY in problem.lower():
        return (
            "Choose other pins, or find the program that uses these and stop it:\n"
            "  gpioinfo    # sudo apt install gpiod"
        )
    if "loaded" in problem:
        return "Install the missing library:\n  sudo apt install python3-lgpio"
    if "no Raspberry Pi" in problem:
        return change_settings("Turn off buttons and LEDs on this machine: [panel] enabled = false")
    return "Check that the GPIO chip exists and that this user is in its group:\n  ls -l /dev/gpiochip*\n  groups"
