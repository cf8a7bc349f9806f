"""Notices that a camera has been plugged in, so that nobody waits for the next try."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = Path("/dev")
PATTERN = "video*"
"""The kernel's names for what gives pictures."""

INTERVAL = 1.0
"""Seconds between two looks: a list of names in memory, which costs nothing."""

SETTLING = 1.0
"""Seconds until udev has given a new device to its group."""


async def watch_arrivals(arrived: Callable[[], None]) -> None:
    """Call `arrived` whenever a device is there that was not; until cancelled."""
    known = _names()
    while True:
        await asyncio.sleep(INTERVAL)
        names = _names()
        if names - known:
            log.info("plugged in: %s", ", ".join(f"{FOLDER}/{name}" for name in sorted(names - known)))
            await asyncio.sleep(SETTLING)
            arrived()
        known = names


def _names() -> set[str]:
    return {path.name for path in FOLDER.glob(PATTERN)}
