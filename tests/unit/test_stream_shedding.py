"""Load shedding, on an event loop with simulated time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from broadcaster.model.stats import Traffic
from broadcaster.stream.load import LAG_INTERVAL, PATIENCE, RELIEF, LoadShedder, LoopLag
from tests.rigs.timetravel import TravelClock, travel


class LoadShedderDriver:
    def __init__(self) -> None:
        self.lag = LoopLag()
        self.bitrate = SimpleNamespace(overloaded=False, can_fall=True)
        self.traffic = Traffic()
        self.delay = 0.0
        self.refusals: list[bool] = []
        self.shedding = LoadShedder(
            self.lag, lambda: self.delay, lambda: self.traffic, self.bitrate, self.refusals.append
        )

    async def __aenter__(self) -> LoadShedderDriver:
        self.lag.start()
        self.shedding.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for part in (self.shedding, self.lag):
            part.close()
            part.close()


async def block_loop(clock: TravelClock, seconds: float, delay: float) -> None:
    """Delay every measurement of the loop's lag by `delay` for `seconds`."""
    end = clock.now + seconds
    while clock.now < end:
        await asyncio.sleep(LAG_INTERVAL / 2)
        clock.now += delay


def test_lagging_loop_lowers_the_rate_then_refuses_new_viewers_until_relief():
    async def scenario(clock: TravelClock) -> None:
        async with LoadShedderDriver() as driver:
            await asyncio.sleep(5)
            assert not driver.bitrate.overloaded
            await block_loop(clock, 3 * PATIENCE, 0.5)
            assert driver.bitrate.overloaded
            assert driver.refusals == []
            driver.bitrate.can_fall = False
            await block_loop(clock, 3 * PATIENCE, 0.5)
            assert driver.refusals == [True]
            assert driver.shedding.refuses
            await asyncio.sleep(RELIEF + 3)
            assert driver.refusals == [True, False]
            assert not driver.bitrate.overloaded

    travel(scenario)


def test_late_pictures_count_as_load_although_the_loop_is_on_time():
    async def scenario(clock: TravelClock) -> None:
        async with LoadShedderDriver() as driver:
            driver.delay = 1.0
            await asyncio.sleep(PATIENCE + 1)
            assert driver.bitrate.overloaded
            assert driver.refusals == []
            driver.delay = 0.2
            await asyncio.sleep(2)
            assert not driver.bitrate.overloaded

    travel(scenario)


@pytest.mark.parametrize("refused", ["send_errors", "packets_held"])
def test_packets_refused_by_the_kernel_count_as_load(refused):
    async def scenario(clock: TravelClock) -> None:
        async with LoadShedderDriver() as driver:
            driver.bitrate.can_fall = False
            for second in range(1, PATIENCE + 2):
                driver.traffic = Traffic(packets=second * 1000, **{refused: second * 200})
                await asyncio.sleep(1)
            assert driver.refusals == [True]
            await asyncio.sleep(RELIEF + 1)
            assert driver.refusals == [True, False]

    travel(scenario)
