"""Failures of the camera in the stream controller, with simulated time."""

from __future__ import annotations

import asyncio
import logging
import struct

from broadcaster.errors import DeviceHung, SourceBug, SourceError
from broadcaster.model.stream import StreamState
from broadcaster.stream.backoff import LONGEST_DELAY, STEADY
from broadcaster.stream.controller import OPEN_LIMIT
from tests.rigs.timetravel import TravelClock, travel
from tests.unit.stream_driver import StreamDriver


def test_missing_camera_is_retried_until_it_appears():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.camera.fault = SourceError("no-camera", "none found")
            driver.controller.set_live(True)
            await asyncio.sleep(6.5)
            assert driver.camera.opened == 3
            assert driver.states[-1][:2] == ("failed", "no-camera")
            since = driver.controller.status.since
            driver.camera.fault = None
            await asyncio.sleep(2)
            driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE
            assert driver.controller.status.since > since
        assert [state for state, _, _ in driver.states] == ["starting", "failed", "live"]

    travel(scenario)


def test_stalled_camera_is_reopened():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            await asyncio.sleep(1.9)
            assert driver.state is StreamState.LIVE
            await asyncio.sleep(0.2)
            assert driver.states[-1][:2] == ("failed", "camera-stalled")
            assert driver.controller.report().problem == "no picture for 2 s"
            await asyncio.sleep(1.1)
            assert driver.camera.opened == 2
            assert driver.controller.report().opening, "a retry, which viewers see as failed"
            driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE
            assert (driver.controller.report().opening, driver.controller.report().problem) == (False, "")

    travel(scenario)


def test_repeated_failure_is_logged_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.camera.fault = SourceError("no-camera", "none found")
            driver.controller.set_live(True)
            await asyncio.sleep(100)
            assert driver.camera.opened > 5
            driver.camera.fault = None
            await asyncio.sleep(60)  # the camera opens now, but delivers no picture
            for _ in range(round(STEADY) + 40):
                driver.camera.deliver(clock)
                await asyncio.sleep(1)
            assert driver.state is StreamState.LIVE
            driver.camera.fault = SourceError("no-camera", "none found")
            await asyncio.sleep(10)

    caplog.set_level("INFO")
    travel(scenario)
    problems = [record.message for record in caplog.records if record.levelno > logging.INFO]
    causes = [problem.removeprefix("stream has failed: ").split(";")[0] for problem in problems]
    assert causes == [
        "none found",
        "no keyframe within 10 s of opening the source",
        "no picture for 2 s",
        "none found",
    ]


def test_device_that_hangs_on_close_ends_the_controller():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock, with_microphone=False)

        async def hang() -> None:
            raise DeviceHung("the camera hangs")

        driver.camera.close = hang
        task = asyncio.create_task(driver.controller.run())
        await driver.go_live()
        driver.controller.set_live(False)
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(outcome, DeviceHung)

    travel(scenario)


def test_start_without_a_keyframe_fails_after_ten_seconds():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.controller.set_live(True)
            await asyncio.sleep(9.9)
            assert driver.state is StreamState.STARTING
            await asyncio.sleep(0.2)
            assert driver.states[-1][:2] == ("failed", "camera-stalled")

    travel(scenario)


def test_lost_camera_is_published_with_its_reason():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            driver.controller.failed(SourceError("camera-lost", "unplugged"))
            assert driver.states[-1][:2] == ("failed", "camera-lost")
            await asyncio.sleep(0.1)
            assert not driver.camera.is_open

    travel(scenario)


def test_bug_while_opening_or_closing_the_camera_is_counted_and_retried(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.camera.fault = struct.error("a bug")
            driver.controller.set_live(True)
            await asyncio.sleep(4)
            assert driver.states[-1][:2] == ("failed", "internal")
            assert (driver.camera.opened, driver.bugs.count) == (3, 3)
            driver.camera.fault = None
            await asyncio.sleep(4)
            driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE
            close, driver.camera.close = driver.camera.close, driver.raise_bug
            driver.controller.set_live(False)
            await asyncio.sleep(0.1)
            assert driver.state is StreamState.OFFLINE
            assert driver.controller.report().internal_errors == 4
            driver.camera.close = close

    travel(scenario)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [struct.error, LookupError]


def test_bug_in_a_camera_thread_is_a_failure_logged_once_with_its_traceback(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            for _ in range(3):
                await driver.go_live()
                driver.controller.failed(SourceBug("usb-video", LookupError("a bug")))
                assert driver.states[-1][:2] == ("failed", "internal")
                await asyncio.sleep(5)
            assert driver.bugs.count == 3

    travel(scenario)
    assert caplog.text.count("internal error in usb-video; please report it") == 1
    assert caplog.text.count("stream has failed: internal error in usb-video: LookupError: a bug") == 1


def test_hanging_open_is_abandoned_and_retried():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.camera.open_seconds = 1e6
            driver.controller.set_live(True)
            await asyncio.sleep(OPEN_LIMIT + 5)
            assert driver.camera.opened == 2
            driver.camera.open_seconds = 0.0
            async with asyncio.timeout(OPEN_LIMIT + LONGEST_DELAY):
                while not driver.camera.is_open:
                    await asyncio.sleep(0.1)
            driver.camera.deliver(clock)
            assert driver.state is StreamState.LIVE

    travel(scenario)
