"""Lag of the event loop, measured on a loop with simulated time."""

from __future__ import annotations

import asyncio

from broadcaster.stream.load import LoopLag
from tests.rigs.timetravel import TravelClock, travel


def test_idle_loop_has_no_lag():
    async def scenario(clock: TravelClock) -> None:
        lag = LoopLag()
        assert lag.quantile(0.99) == 0.0
        lag.start()
        await asyncio.sleep(5)
        assert lag.quantile(1) < 0.001
        lag.close()
        lag.close()

    travel(scenario)


def test_blocked_loop_is_measured_and_forgotten_after_half_a_minute():
    async def scenario(clock: TravelClock) -> None:
        lag = LoopLag()
        lag.start()
        await asyncio.sleep(1)
        clock.now += 0.5
        await asyncio.sleep(1)
        assert 0.3 < lag.quantile(1) <= 0.5
        assert lag.quantile(0.5) < 0.001
        await asyncio.sleep(31)
        assert lag.quantile(1) < 0.001
        lag.close()

    travel(scenario)
