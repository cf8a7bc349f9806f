"""A machine that cannot keep up: first the bit rate falls, then nobody new is let in, and who watches stays."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.rigs.light import LightViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import within

BURDEN = 0.25
"""Seconds for which the loop stands still at a time: with each of them it is too late."""
LOWEST, HIGHEST = 300_000, 1_000_000
"""Bits a second."""
SETTINGS = {
    "video__width": 640,
    "video__height": 360,
    "video__bitrate": HIGHEST,
    "video__bitrate_min": LOWEST,
    "video__test_pattern": "camera",
}
REFUSED_AFTER = 30.0
LET_IN_AFTER = 15.0


@pytest.mark.long
async def test_load_lowers_the_rate_and_then_turns_newcomers_away(measured):
    async with ScriptedDaemon(video__source="test", **SETTINGS) as daemon, LightProcess(daemon.port) as watching:
        assert (await capacity(daemon))["bitrate_wanted"] == HIGHEST
        before = await watching.figures()
        await watching.forget_pauses()
        await daemon.call("process", "burden", BURDEN)
        began, rates = time.monotonic(), []
        while not (now := await capacity(daemon))["overloaded"]:
            assert time.monotonic() - began < REFUSED_AFTER, now
            rates.append(now["bitrate_wanted"])
        refused = time.monotonic() - began
        error, code = await turned_away(daemon)
        after = await watching.figures()
        await daemon.call("process", "burden", 0)
        async with within(LET_IN_AFTER) as took:
            while not await is_let_in(daemon):
                await asyncio.sleep(0.5)
        measured(
            "load",
            f"{now['bitrate_wanted'] // 1000} kbit/s, then full after {refused:.0f} s (“{error['message']}”);"
            f" who watches: {after['gaps']} gaps, longest pause {after['longest_pause'] * 1000:.0f} ms;"
            f" newcomers let in {took.seconds:.0f} s after the end",
        )
        assert now["bitrate_wanted"] == LOWEST
        assert LOWEST <= min(rates) < HIGHEST, "it falls first"
        assert (error["code"], code) == ("full", 4003)
        assert after["packets"][0] > before["packets"][0]
        assert after["gaps"] == 0
        assert (await watching.figures())["closed"] == [None]


async def capacity(daemon: ScriptedDaemon) -> dict[str, Any]:
    """What the daemon says of itself."""
    status: Any = await daemon.status()
    figures: dict[str, Any] = status["capacity"]
    return figures


async def turned_away(daemon: ScriptedDaemon) -> tuple[dict[str, Any], int | None]:
    """What a newcomer is told, and how its WebSocket is closed."""
    async with LightViewer(daemon.port) as newcomer:
        return await newcomer.message("error"), await newcomer.closed()


async def is_let_in(daemon: ScriptedDaemon) -> bool:
    """Whether a newcomer is welcome."""
    async with LightViewer(daemon.port) as newcomer:
        await newcomer.answered()
        return newcomer.messages[0]["type"] == "welcome"
