"""Live button and tally lamp. Without `panel.enabled` nothing of gpiozero is imported."""

from __future__ import annotations

import logging

from broadcaster.ports import Clock, Panel
from broadcaster.settings import PanelSettings

log = logging.getLogger(__name__)


def make_panel(settings: PanelSettings, clock: Clock) -> Panel | None:
    """The panel that the settings ask for; None where there is to be none, or its library is broken."""
    if not settings.enabled:
        return None
    try:
        # Here and not above: it loads gpiozero.
        from broadcaster.devices.panel.gpio import GpioPanel  # noqa: PLC0415
    except ImportError as error:
        log.warning("no live button and no lamp: gpiozero cannot be loaded (%s)", error)
        return None
    return GpioPanel(settings, clock)
