"""The stream controller: live, offline and the changes between them, with simulated time."""

from __future__ import annotations

import asyncio

from broadcaster.errors import SourceError
from broadcaster.model.stream import StreamState
from tests.rigs.timetravel import TravelClock, travel
from tests.unit.stream_driver import StreamDriver


def test_going_live_and_offline_opens_and_closes_all_devices():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            assert not driver.camera.is_open
            await driver.go_live()
            assert driver.microphone.is_open
            driver.controller.set_live(False)
            await asyncio.sleep(0.1)
            assert not driver.camera.is_open
            assert not driver.microphone.is_open
        states = [state for state, _, _ in driver.states]
        assert states == ["starting", "live", "stopping", "offline"]
        assert driver.desired_states == [True, False]

    travel(scenario)


def test_request_for_the_current_state_changes_nothing():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.controller.set_live(False)
            await driver.go_live()
            states = list(driver.states)
            driver.controller.set_live(True)
            assert driver.states == states
            assert driver.desired_states == [True]

    travel(scenario)


def test_toggle_inverts_the_desired_state_even_while_failed():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.camera.fault = SourceError("camera-busy", "in use by another program")
            driver.controller.toggle()
            await asyncio.sleep(0.1)
            assert driver.state is StreamState.FAILED
            driver.controller.toggle()
            await asyncio.sleep(0.1)
            assert driver.state is StreamState.OFFLINE

    travel(scenario)


def test_stream_stays_live_while_pictures_arrive():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            for _ in range(20):
                await asyncio.sleep(1)
                driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE
            assert driver.camera.opened == 1

    travel(scenario)


def test_start_while_the_camera_closes_reopens_it():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            driver.controller.set_live(False)
            driver.controller.set_live(True)
            assert driver.state is StreamState.STOPPING
            await asyncio.sleep(0.1)
            driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE
            assert driver.camera.opened == 2

    travel(scenario)


def test_stop_while_the_camera_opens_closes_it():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        driver.camera.open_seconds = 3.0
        async with driver.running():
            driver.controller.set_live(True)
            await asyncio.sleep(1)
            driver.controller.set_live(False)
            assert driver.state is StreamState.STOPPING
            await asyncio.sleep(3)
            assert driver.state is StreamState.OFFLINE
            assert not driver.camera.is_open

    travel(scenario)


def test_wall_clock_jump_affects_neither_timers_nor_age():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            clock.unix_offset += 86_400 * 3650
            await asyncio.sleep(1)
            assert driver.state is StreamState.LIVE
            assert abs(clock.unix() - driver.controller.status.since - 1) < 0.2

    travel(scenario)


def test_requests_after_the_end_are_ignored():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
        desired_states = list(driver.desired_states)
        driver.controller.set_live(False)
        assert driver.desired_states == desired_states

    travel(scenario)
