"""An overloaded machine: first the bit rate is lowered, then new viewers are refused; connected viewers stay."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.rigs.light import LightViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within

BLOCK_SECONDS = 0.25
"""Seconds for which the event loop is blocked at a time; each block counts as overload."""
LOWEST, HIGHEST = 300_000, 1_000_000
"""Bits per second."""
SETTINGS = {
    "video__width": 640,
    "video__height": 360,
    "video__bitrate": HIGHEST,
    "video__bitrate_min": LOWEST,
    "video__test_pattern": "camera",
}
REFUSE_LIMIT = 30.0
ACCEPT_LIMIT = 15.0


@pytest.mark.long
async def test_overload_lowers_the_rate_and_then_refuses_new_viewers(record):
    async with ScriptedDaemon(video__source="test", **SETTINGS) as daemon, LightProcess(daemon.port) as watching:
        assert (await capacity(daemon))["bitrate_wanted"] == HIGHEST
        before = await watching.stats()
        await watching.reset_pauses()
        await daemon.call("process", "block_loop", BLOCK_SECONDS)
        began, rates = time.monotonic(), []
        while not (now := await capacity(daemon))["overloaded"]:
            assert time.monotonic() - began < REFUSE_LIMIT, now
            rates.append(now["bitrate_wanted"])
        refused_after = time.monotonic() - began
        error, code = await refusal(daemon)
        after = await watching.stats()
        await daemon.call("process", "block_loop", 0)
        async with within(ACCEPT_LIMIT) as took:
            while not await is_accepted(daemon):
                await asyncio.sleep(0.5)
        record(
            "load",
            f"{now['bitrate_wanted'] // 1000} kbit/s, then full after {refused_after:.0f} s (“{error['message']}”);"
            f" viewer who watches: {after['gaps']} gaps, longest pause {after['longest_pause'] * 1000:.0f} ms;"
            f" new viewers accepted {took.seconds:.0f} s after the end",
        )
        assert now["bitrate_wanted"] == LOWEST
        assert LOWEST <= min(rates) < HIGHEST, "the rate is lowered first"
        assert (error["code"], code) == ("full", 4003)
        assert after["packets"][0] > before["packets"][0]
        assert after["gaps"] == 0
        assert (await watching.stats())["closed"] == [None]


async def capacity(daemon: ScriptedDaemon) -> dict[str, Any]:
    """Return the daemon's load as shown in its status."""
    status: Any = await daemon.status()
    load: dict[str, Any] = status["capacity"]
    return load


async def refusal(daemon: ScriptedDaemon) -> tuple[dict[str, Any], int | None]:
    """Return the error that a new viewer receives, and its close code."""
    async with LightViewer(daemon.port) as viewer:
        return await viewer.message("error"), await viewer.wait_closed()


async def is_accepted(daemon: ScriptedDaemon) -> bool:
    """Whether a new viewer is accepted."""
    async with LightViewer(daemon.port) as viewer:
        await viewer.first_message()
        return viewer.messages[0]["type"] == "welcome"
