"""Notices that a camera was plugged in, so that the next try need not be waited for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

FOLDER = Path("/dev")
PREFIX = "video"
"""The kernel's names for capture devices begin with it."""

INTERVAL = 1.0
"""Seconds between two looks at the folder, which the kernel keeps in memory."""

SETTLING = 1.0
"""Seconds until udev has given a new device to its group."""


async def watch_arrivals(arrived: Callable[[], None]) -> None:
    """Call `arrived` whenever there is a device that was not there before; until cancelled.

    While the folder cannot be read (no file descriptor left, for example) nothing arrives; that is logged once.
    """
    known: set[str] | None = None
    readable = True
    while True:
        try:
            names = _names()
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
    log.info("plugged in: %s", ", ".join(f"{FOLDER}/{name}" for name in sorted(names)))
    await asyncio.sleep(SETTLING)


def _names() -> set[str]:
    # Not by Path.glob: which errors it hides depends on the version of Python.
    return {name for name in os.listdir(FOLDER) if name.startswith(PREFIX)}
