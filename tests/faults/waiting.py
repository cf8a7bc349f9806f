"""Helpers that wait for states of daemon and page, and check that nothing is left behind."""

from __future__ import annotations

import asyncio
import time

from tests.rigs.browser import Viewer
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE

HEARTBEAT_LIMIT = 7.5
"""Seconds from a viewer's last message until its session is closed."""


async def until_viewers(daemon: ScriptedDaemon, number: int) -> None:
    """Wait until the daemon has that number of viewers."""
    began = time.monotonic()
    while (await daemon.status())["viewers"] != number:
        assert time.monotonic() - began < PATIENCE, await daemon.status()
        await asyncio.sleep(0.02)


async def until_no_peer(daemon: ScriptedDaemon) -> None:
    """Wait until the daemon has no peer connection."""
    async with asyncio.timeout(PATIENCE):
        while (await daemon.resources())["peers"]:
            await asyncio.sleep(0.05)


async def assert_clean(daemon: ScriptedDaemon, before: dict[str, int]) -> None:
    """Assert that after one second the daemon holds no more resources than `before`."""
    await asyncio.sleep(1)
    after = await daemon.resources()
    assert after["peers"] <= before["peers"]
    assert after["tasks"] <= before["tasks"]
    assert after["descriptors"] <= before["descriptors"]
    assert after["timers"] <= before["timers"] + 1  # a timer may be between two ticks


async def live_since(page: Viewer, after: float) -> float:
    """Wait until the page has become live after the Unix time `after`; return when it did."""
    async with asyncio.timeout(60):
        while True:
            live = [since for state, since in await page.states() if state == "live" and since > after]
            if live:
                return live[0]
            await asyncio.sleep(0.1)
