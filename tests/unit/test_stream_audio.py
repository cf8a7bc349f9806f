"""The sound beside the picture: what viewers are told, and when it is tried again."""

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
    """Fails with `fault` as soon as it is opened, on the sink as the microphone does."""

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

    async def give(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.sink.frame(OpusFrame(b"opus", 0.0))
            await asyncio.sleep(0.02)


class SupervisorRig:
    def __init__(self) -> None:
        self.source = Source()
        self.told: list[AudioState] = []
        self.bugs = BugLog()
        self.keeper = AudioSupervisor(
            self.source, lambda frame: None, lambda: self.told.append(self.keeper.state), self.bugs
        )

    def lines(self, caplog) -> list[tuple[int, str]]:
        return [(record.levelno, record.message) for record in caplog.records if record.name.endswith("stream.audio")]


@pytest.fixture(autouse=True)
def _all_lines(caplog):
    caplog.set_level(logging.INFO)


def test_a_source_that_gives_nothing_is_lost_until_it_gives_again():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.keeper.open()
        await asyncio.sleep(0.1)
        await rig.source.give(3 * QUIET_LIMIT)
        assert rig.told == []
        await asyncio.sleep(2 * QUIET_LIMIT)
        assert rig.told == [AudioState.LOST]
        await rig.source.give(0.1)
        assert rig.told == [AudioState.LOST, AudioState.ON]
        assert rig.source.opened == 1
        await rig.keeper.close()

    travel(scenario)


def test_one_that_never_was_is_no_fault_and_may_still_come(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.source.fault = ABSENT
        rig.keeper.open()
        await asyncio.sleep(20)
        assert rig.told == [AudioState.NONE]
        assert rig.source.opened == 5
        rig.source.fault = None
        await asyncio.sleep(12)
        await rig.source.give(0.1)
        assert rig.told == [AudioState.NONE, AudioState.ON]
        assert rig.lines(caplog) == [(logging.INFO, "no audio: no device; retrying")]
        await rig.keeper.close()

    travel(scenario)


def test_one_that_is_taken_away_is_lost():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.keeper.open()
        await asyncio.sleep(0.1)
        await rig.source.give(0.1)
        rig.source.fault = ABSENT
        rig.source.sink.failed(SourceError(StreamReason.INTERNAL, "unplugged"))
        await asyncio.sleep(10)
        assert rig.told == [AudioState.LOST]
        await rig.keeper.close()
        assert rig.told == [AudioState.LOST, AudioState.ON]

    travel(scenario)


def test_what_was_none_stays_none_off_air():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.source.fault = ABSENT
        for _ in range(2):
            rig.keeper.open()
            await asyncio.sleep(1)
            await rig.keeper.close()
        assert rig.told == [AudioState.NONE]

    travel(scenario)


def test_each_cause_is_one_line(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.source.fault = BUSY
        rig.keeper.open()
        await asyncio.sleep(100)
        rig.source.fault = SourceError(StreamReason.INTERNAL, "unplugged")
        await asyncio.sleep(100)
        assert rig.source.opened > 7
        assert rig.lines(caplog) == [
            (logging.WARNING, "no audio: busy; retrying"),
            (logging.WARNING, "no audio: unplugged; retrying"),
        ]
        await rig.keeper.close()

    travel(scenario)


def test_a_bug_in_the_source_is_lost_sound_that_is_tried_again_and_its_traceback_is_logged_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()

        async def broken(*_: object) -> None:
            raise LookupError("a bug")

        mended, rig.source.open = rig.source.open, broken
        close, rig.source.close = rig.source.close, broken
        rig.keeper.open()
        await asyncio.sleep(2)
        assert rig.told == [AudioState.LOST]
        assert rig.bugs.count == 4, "two openings and two closings"
        rig.source.open, rig.source.close = mended, close
        await asyncio.sleep(2)
        await rig.source.give(1)
        rig.source.sink.failed(SourceBug("microphone", LookupError("a bug")))
        await asyncio.sleep(GRACE + 0.1)
        assert rig.told == [AudioState.LOST, AudioState.ON, AudioState.LOST]
        assert rig.bugs.count == 5
        await rig.keeper.close()

    travel(scenario)
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_an_open_that_never_ends_is_lost_sound_and_tried_again():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        mended, rig.source.open = rig.source.open, lambda sink: asyncio.sleep(1e6)
        rig.keeper.open()
        await asyncio.sleep(OPEN_LIMIT + 0.5)
        assert rig.told == [AudioState.LOST]
        rig.source.open = mended
        await asyncio.sleep(1)
        await rig.source.give(1)
        assert rig.told == [AudioState.LOST, AudioState.ON]
        await rig.keeper.close()

    travel(scenario)


def test_sound_that_breaks_soon_after_each_start_backs_off_until_it_was_steady():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.keeper.open()
        delays = []
        for seconds in (1, 1, 1, STEADY):
            while rig.source.sink is None:
                await asyncio.sleep(0.01)
            await rig.source.give(seconds)
            rig.source.sink.failed(BUSY)
            failed, opened = clock.now, rig.source.opened
            while rig.source.opened == opened:
                await asyncio.sleep(0.01)
            delays.append(round(clock.now - failed))
        assert delays == [1, 2, 4, 1]
        await rig.keeper.close()

    travel(scenario)


def test_a_film_that_is_replaced_by_a_silent_one_has_no_audio_and_lost_none():
    async def scenario(clock: TravelClock) -> None:
        rig = SupervisorRig()
        rig.keeper.open()
        await asyncio.sleep(0)
        await rig.source.give(1)
        rig.source.sink.failed(SourceAbsent(StreamReason.FILE, "a.mp4 has no sound"))
        await asyncio.sleep(GRACE + 0.1)
        assert rig.told == [AudioState.NONE]
        await rig.keeper.close()

    travel(scenario)
