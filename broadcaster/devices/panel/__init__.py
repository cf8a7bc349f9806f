"""Live button and tally light. gpiozero is imported only with `panel.enabled`."""

from __future__ import annotations

import logging

from broadcaster.ports import Clock, Panel
from broadcaster.settings import PanelSettings

log = logging.getLogger(__name__)


def make_panel(settings: PanelSettings, clock: Clock) -> Panel | None:
    """Return the configured panel; None if it is disabled or gpiozero cannot be loaded."""
    if not settings.enabled:
        return None
    try:
        # Imported here, because it loads gpiozero.
        from broadcaster.devices.panel.gpio import GpioPanel  # noqa: PLC0415
    except ImportError as error:
        log.warning("no live button and no tally light: gpiozero cannot be loaded (%s)", error)
        return None
    return GpioPanel(settings, clock)
