"""The loop's lag, on a loop whose time is a number."""

from __future__ import annotations

import asyncio

from broadcaster.stream.load import LoopLag
from tests.rigs.timetravel import TravelClock, travel


def test_a_loop_with_nothing_to_do_is_never_late():
    async def scenario(clock: TravelClock) -> None:
        lag = LoopLag()
        assert lag.quantile(0.99) == 0.0
        lag.start()
        await asyncio.sleep(5)
        assert lag.quantile(1) < 0.001
        lag.close()
        lag.close()

    travel(scenario)


def test_what_holds_the_loop_up_is_seen_and_forgotten_after_a_while():
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
