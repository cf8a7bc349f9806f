"""The stream controller's audio: mute, and a microphone that fails, with simulated time."""

from __future__ import annotations

import asyncio

from broadcaster.errors import SourceError
from broadcaster.model.stream import AudioState
from broadcaster.stream.audio import GRACE
from tests.rigs.timetravel import TravelClock, travel
from tests.unit.stream_driver import StreamDriver


def test_lost_microphone_does_not_affect_video_and_is_retried():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            driver.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(0.1)
            assert driver.states[-1] == ("live", None, "lost")
            driver.camera.deliver(clock)
            await asyncio.sleep(1)
            assert driver.microphone.opened == 2
            driver.microphone.deliver(clock)
            assert driver.states[-1] == ("live", None, "on")
            assert driver.camera.opened == 1

    travel(scenario)


def test_microphone_that_cannot_be_opened_backs_off():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.microphone.fault = SourceError("internal", "busy")
            await driver.go_live()
            for _ in range(10):
                await asyncio.sleep(1)
                driver.camera.deliver(clock)
            assert driver.microphone.opened == 4

    travel(scenario)


def test_muted_audio_is_not_published_and_its_state_is_none():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            driver.microphone.deliver(clock)
            driver.controller.mute(True)
            assert driver.states[-1] == ("live", None, "none")
            count = len(driver.states)
            driver.controller.mute(True)
            driver.microphone.deliver(clock)
            assert len(driver.states) == count
            assert len(driver.audio_frames) == 1
            driver.controller.mute(False)
            assert driver.states[-1] == ("live", None, "on")
            driver.microphone.deliver(clock)
            assert len(driver.audio_frames) == 2

    travel(scenario)


def test_mute_survives_a_restart_of_the_stream_and_a_lost_microphone():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            driver.controller.mute(True)
            await driver.go_live()
            driver.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(0.1)
            assert driver.controller.status.sound is AudioState.NONE
            driver.controller.mute(False)
            assert driver.controller.status.sound is AudioState.LOST
            driver.controller.mute(True)
            driver.controller.set_live(False)
            await asyncio.sleep(0.1)
            await driver.go_live()
            assert driver.controller.muted
            assert driver.controller.status.sound is AudioState.NONE

    travel(scenario)


def test_mute_without_a_microphone_does_nothing():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock, with_microphone=False)
        async with driver.running():
            driver.controller.mute(True)
            assert not driver.controller.muted
            assert driver.states == []

    travel(scenario)


def test_audio_state_without_a_microphone_is_none():
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock, with_microphone=False)
        async with driver.running():
            await driver.go_live()
            assert driver.controller.status.sound is AudioState.NONE

    travel(scenario)


def test_change_of_audio_state_while_live_is_logged(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        driver.microphone.fault = SourceError("internal", "unplugged")
        async with driver.running():
            await driver.go_live()
            await asyncio.sleep(0.5)
            driver.microphone.fault = None
            for _ in range(20):  # the next attempt is a second later
                driver.camera.deliver(clock)
                if driver.microphone.is_open:
                    driver.microphone.deliver(clock)
                await asyncio.sleep(0.1)
            driver.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(GRACE + 0.1)

    caplog.set_level("INFO", "broadcaster.stream.stream_log")
    travel(scenario)
    assert [record.message for record in caplog.records if record.message.startswith("stream is")] == [
        "stream is starting",
        "stream is live, audio lost",
        "stream is still live, now with audio",
        "stream is still live, now audio lost",
    ]


def test_stop_has_one_log_line(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock, with_microphone=False)
        async with driver.running():
            await driver.go_live()
            driver.controller.set_live(False)
            await asyncio.sleep(1)

    caplog.set_level("INFO", "broadcaster.stream.stream_log")
    travel(scenario)
    assert caplog.messages == ["stream is starting", "stream is live, without audio", "stream is offline"]


def test_common_failure_of_video_and_audio_is_logged_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = StreamDriver(clock)
        async with driver.running():
            await driver.go_live()
            await asyncio.sleep(0.1)
            driver.microphone.deliver(clock)
            driver.microphone.sink.failed(SourceError("file", "film.mp4: Input/output error"))
            await asyncio.sleep(GRACE / 2)
            driver.camera.sink.failed(SourceError("file", "film.mp4: Input/output error"))
            await asyncio.sleep(1)
            assert [audio for _, _, audio in driver.states] == ["on"] * len(driver.states)

    caplog.set_level("INFO", "broadcaster.stream.stream_log")
    travel(scenario)
    assert [message for message in caplog.messages if "failed" in message] == [
        "stream has failed: film.mp4: Input/output error; retrying"
    ]
