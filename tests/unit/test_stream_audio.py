"""The audio source beside the video source: its state, as viewers see it, and its retries."""

from __future__ import annotations

import asyncio
import logging

import pytest

from broadcaster.errors import SourceAbsent, SourceBug, SourceError, StreamReason
from broadcaster.model.stream import AudioState, OpusFrame
from broadcaster.stream.audio import GRACE, OPEN_LIMIT, QUIET_LIMIT, AudioSupervisor
from broadcaster.stream.backoff import STEADY
from broadcaster.stream.bug_log import BugLog
from tests.rigs.timetravel import TravelClock, travel

ABSENT = SourceAbsent(StreamReason.INTERNAL, "no device")
BUSY = SourceError(StreamReason.INTERNAL, "busy")


class Source:
    """Reports `fault` to its sink as soon as it is opened, as the microphone does."""

    name = "fake"

    def __init__(self) -> None:
        self.fault: SourceError | None = None
        self.opened = 0
        self.sink = None

    async def open(self, sink) -> None:
        self.opened += 1
        self.sink = sink
        if self.fault:
            sink.failed(self.fault)

    async def close(self) -> None:
        self.sink = None

    async def deliver(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.sink.frame(OpusFrame(b"opus", 0.0))
            await asyncio.sleep(0.02)


class SupervisorDriver:
    def __init__(self) -> None:
        self.source = Source()
        self.states: list[AudioState] = []
        self.bugs = BugLog()
        self.supervisor = AudioSupervisor(
            self.source, lambda frame: None, lambda: self.states.append(self.supervisor.state), self.bugs
        )

    def lines(self, caplog) -> list[tuple[int, str]]:
        return [(record.levelno, record.message) for record in caplog.records if record.name.endswith("stream.audio")]


@pytest.fixture(autouse=True)
def _info_level(caplog):
    caplog.set_level(logging.INFO)


def test_silent_source_is_lost_until_it_delivers_again():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.supervisor.open()
        await asyncio.sleep(0.1)
        await driver.source.deliver(3 * QUIET_LIMIT)
        assert driver.states == []
        await asyncio.sleep(2 * QUIET_LIMIT)
        assert driver.states == [AudioState.LOST]
        await driver.source.deliver(0.1)
        assert driver.states == [AudioState.LOST, AudioState.ON]
        assert driver.source.opened == 1
        await driver.supervisor.close()

    travel(scenario)


def test_absent_source_is_no_failure_and_is_retried(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.source.fault = ABSENT
        driver.supervisor.open()
        await asyncio.sleep(20)
        assert driver.states == [AudioState.NONE]
        assert driver.source.opened == 5
        driver.source.fault = None
        await asyncio.sleep(12)
        await driver.source.deliver(0.1)
        assert driver.states == [AudioState.NONE, AudioState.ON]
        assert driver.lines(caplog) == [(logging.INFO, "no audio: no device; retrying")]
        await driver.supervisor.close()

    travel(scenario)


def test_source_that_is_unplugged_is_lost():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.supervisor.open()
        await asyncio.sleep(0.1)
        await driver.source.deliver(0.1)
        driver.source.fault = ABSENT
        driver.source.sink.failed(SourceError(StreamReason.INTERNAL, "unplugged"))
        await asyncio.sleep(10)
        assert driver.states == [AudioState.LOST]
        await driver.supervisor.close()
        assert driver.states == [AudioState.LOST, AudioState.ON]

    travel(scenario)


def test_state_none_is_kept_while_the_source_is_closed():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.source.fault = ABSENT
        for _ in range(2):
            driver.supervisor.open()
            await asyncio.sleep(1)
            await driver.supervisor.close()
        assert driver.states == [AudioState.NONE]

    travel(scenario)


def test_each_cause_is_logged_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.source.fault = BUSY
        driver.supervisor.open()
        await asyncio.sleep(100)
        driver.source.fault = SourceError(StreamReason.INTERNAL, "unplugged")
        await asyncio.sleep(100)
        assert driver.source.opened > 7
        assert driver.lines(caplog) == [
            (logging.WARNING, "no audio: busy; retrying"),
            (logging.WARNING, "no audio: unplugged; retrying"),
        ]
        await driver.supervisor.close()

    travel(scenario)


def test_bug_in_the_source_is_retried_and_its_traceback_is_logged_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()

        async def broken(*_: object) -> None:
            raise LookupError("a bug")

        working_open, driver.source.open = driver.source.open, broken
        working_close, driver.source.close = driver.source.close, broken
        driver.supervisor.open()
        await asyncio.sleep(2)
        assert driver.states == [AudioState.LOST]
        assert driver.bugs.count == 4, "two calls of open and two of close"
        driver.source.open, driver.source.close = working_open, working_close
        await asyncio.sleep(2)
        await driver.source.deliver(1)
        driver.source.sink.failed(SourceBug("microphone", LookupError("a bug")))
        await asyncio.sleep(GRACE + 0.1)
        assert driver.states == [AudioState.LOST, AudioState.ON, AudioState.LOST]
        assert driver.bugs.count == 5
        await driver.supervisor.close()

    travel(scenario)
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_hanging_open_is_lost_audio_and_is_retried():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        working_open, driver.source.open = driver.source.open, lambda sink: asyncio.sleep(1e6)
        driver.supervisor.open()
        await asyncio.sleep(OPEN_LIMIT + 0.5)
        assert driver.states == [AudioState.LOST]
        driver.source.open = working_open
        await asyncio.sleep(1)
        await driver.source.deliver(1)
        assert driver.states == [AudioState.LOST, AudioState.ON]
        await driver.supervisor.close()

    travel(scenario)


def test_retries_back_off_until_the_source_has_been_steady():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.supervisor.open()
        delays = []
        for seconds in (1, 1, 1, STEADY):
            while driver.source.sink is None:
                await asyncio.sleep(0.01)
            await driver.source.deliver(seconds)
            driver.source.sink.failed(BUSY)
            failed, opened = clock.now, driver.source.opened
            while driver.source.opened == opened:
                await asyncio.sleep(0.01)
            delays.append(round(clock.now - failed))
        assert delays == [1, 2, 4, 1]
        await driver.supervisor.close()

    travel(scenario)


def test_source_without_audio_track_is_none_and_not_lost():
    async def scenario(clock: TravelClock) -> None:
        driver = SupervisorDriver()
        driver.supervisor.open()
        await asyncio.sleep(0)
        await driver.source.deliver(1)
        driver.source.sink.failed(SourceAbsent(StreamReason.FILE, "a.mp4 has no audio"))
        await asyncio.sleep(GRACE + 0.1)
        assert driver.states == [AudioState.NONE]
        await driver.supervisor.close()

    travel(scenario)
