"""The pins of the panel: taken for a moment, as the daemon takes them."""

from __future__ import annotations

import asyncio

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.panel import make_panel
from broadcaster.doctor.advice import change
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import notes_of
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import PanelError
from broadcaster.settings import PanelSettings

_ABOUT = Subject("pins", "Without them the live button does nothing, and the tally lamp stays dark.")
_BUSY = "busy"
"""What lgpio and the kernel say of a pin that somebody has already (EBUSY)."""


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    settings = case.settings.panel
    problem = asyncio.run(try_pins(settings)) if settings.enabled else ""
    return [evaluate(settings, problem, running=case.running is not None)]


async def try_pins(settings: PanelSettings) -> str:
    """Take all pins and give them back; returns what is wrong, empty if nothing is."""
    with notes_of("broadcaster.devices") as said:
        panel = make_panel(settings, SystemClock())
    if panel is None:
        return "\n".join(said) or "there is no panel"
    try:
        panel.open(lambda _: None)
    except PanelError as error:
        return str(error)
    finally:
        panel.close()
    return ""


def evaluate(settings: PanelSettings, problem: str, *, running: bool) -> CheckResult:
    """Free, or in use by the daemon that runs; then it is no good sign that they are free."""
    if not settings.enabled:
        return _ABOUT.ok("not used (panel.enabled = false)")
    if running and _BUSY in problem.lower():
        return _ABOUT.ok("in use by the running broadcaster: fine")
    if problem:
        return _ABOUT.broken(problem, _fix(problem))
    shown = ", ".join(f"{name} at GPIO {number}" for name, number in used(settings).items())
    if running:
        fix = "Start it anew, so that it takes them:\n  sudo systemctl restart broadcaster"
        return _ABOUT.warning(f"free, so the running broadcaster does not use them: {shown}", fix)
    return _ABOUT.ok(f"free: {shown}")


def used(settings: PanelSettings) -> dict[str, int]:
    """The pins in use, by the names of their settings."""
    pins = {name: getattr(settings, name) for name in ("button", "start", "stop", "lamp", "watch_lamp")}
    return {name: number for name, number in pins.items() if number is not None}


def _fix(problem: str) -> str:
    if _BUSY in problem.lower():
        return "Choose other pins, or see who has these, and end that:\n  gpioinfo    # sudo apt install gpiod"
    if "loaded" in problem:
        return "Install what is missing:\n  sudo apt install python3-lgpio"
    if "no Raspberry Pi" in problem:
        return change("Do without buttons and lamps here: [panel] enabled = false")
    return "See that the chip is there, and its group is one of this user's:\n  ls -l /dev/gpiochip*\n  groups"
