"""Detection of newly plugged cameras, so that the source can be reopened at once instead of at the next retry."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = Path("/dev")
PREFIX = "video"
"""Prefix of the kernel's names of video devices."""

INTERVAL = 1.0
"""Seconds between two polls of the folder, which is in memory (devtmpfs)."""

SETTLING = 1.0
"""Seconds to wait until udev has set a new device's group."""


async def watch_arrivals(arrived: Callable[[], None]) -> None:
    """Call `arrived` whenever a new device appears, until cancelled.

    While the folder cannot be read (for example without free file descriptors) no device is detected; this is logged
    once.
    """
    known: set[str] | None = None
    readable = True
    while True:
        try:
            names = _list_devices()
        except OSError as error:
            if readable:
                log.warning("cannot look for new cameras in %s for now: %s", FOLDER, error.strerror)
            readable = False
        else:
            readable = True
            if known is not None and names - known:
                await _settle(names - known)
                arrived()
            known = names
        await asyncio.sleep(INTERVAL)


async def _settle(names: set[str]) -> None:
    log.info("video device plugged in: %s", ", ".join(f"{FOLDER}/{name}" for name in sorted(names)))
    await asyncio.sleep(SETTLING)


def _list_devices() -> set[str]:
    # Not Path.glob: which errors it suppresses depends on the Python version.
    return {name for name in os.listdir(FOLDER) if name.startswith(PREFIX)}
