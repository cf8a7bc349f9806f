"""The load of the running daemon, on a loop whose time is a number."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from broadcaster.model.stats import Traffic
from broadcaster.stream.load import LAG_INTERVAL, PATIENCE, RELIEF, LoadShedder, LoopLag
from tests.rigs.timetravel import TravelClock, travel


class LoadShedderRig:
    def __init__(self) -> None:
        self.lag = LoopLag()
        self.bitrate = SimpleNamespace(overloaded=False, can_fall=True)
        self.traffic = Traffic()
        self.told: list[bool] = []
        self.shedding = LoadShedder(self.lag, lambda: self.traffic, self.bitrate, self.told.append)

    async def __aenter__(self) -> LoadShedderRig:
        self.lag.start()
        self.shedding.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for part in (self.shedding, self.lag):
            part.close()
            part.close()


async def hold_up(clock: TravelClock, seconds: float, each: float) -> None:
    """Let the loop be late by `each` at every look for so long."""
    end = clock.now + seconds
    while clock.now < end:
        await asyncio.sleep(LAG_INTERVAL / 2)
        clock.now += each


def test_a_late_loop_lowers_the_rate_then_refuses_newcomers_then_lets_them_in():
    async def scenario(clock: TravelClock) -> None:
        async with LoadShedderRig() as rig:
            await asyncio.sleep(5)
            assert not rig.bitrate.overloaded
            await hold_up(clock, 3 * PATIENCE, 0.5)
            assert rig.bitrate.overloaded
            assert rig.told == []
            rig.bitrate.can_fall = False
            await hold_up(clock, 3 * PATIENCE, 0.5)
            assert rig.told == [True]
            assert rig.shedding.refuses
            await asyncio.sleep(RELIEF + 3)
            assert rig.told == [True, False]
            assert not rig.bitrate.overloaded

    travel(scenario)


@pytest.mark.parametrize("refused", ["send_errors", "packets_held"])
def test_packets_that_the_kernel_refuses_count_as_load(refused):
    async def scenario(clock: TravelClock) -> None:
        async with LoadShedderRig() as rig:
            rig.bitrate.can_fall = False
            for second in range(1, PATIENCE + 2):
                rig.traffic = Traffic(packets=second * 1000, **{refused: second * 200})
                await asyncio.sleep(1)
            assert rig.told == [True]
            await asyncio.sleep(RELIEF + 1)
            assert rig.told == [True, False]

    travel(scenario)
