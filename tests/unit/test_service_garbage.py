"""When old objects are collected, on a clock of the test's own."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.service.garbage import INTERVAL, LONGEST_DELAY, QUIET_TIME, GarbageCollection
from tests.rigs.timetravel import TravelClock, travel


class Cycle:
    """An object that only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


@contextlib.contextmanager
def watched(clock: TravelClock) -> Iterator[tuple[GarbageCollection, list[float]]]:
    """A started one, and the times of full collections since, in seconds."""
    began, times = clock.now, []

    def collecting(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            times.append(round(clock.now - began, 3))

    garbage = GarbageCollection()
    before = gc.get_threshold()
    garbage.start()
    gc.callbacks.append(collecting)
    try:
        yield garbage, times
    finally:
        gc.callbacks.remove(collecting)
        garbage.close()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_what_start_up_made_is_frozen_and_old_objects_are_left_alone():
    async def scenario(clock):
        with watched(clock) as (_, times):
            assert gc.get_freeze_count() > 10_000
            kept = [[] for _ in range(200_000)]  # Python would look through all objects by now
            assert times == []
            del kept

    travel(scenario)


def test_it_waits_until_no_viewer_comes_or_goes():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            for count in range(1, 4):
                garbage.viewers_changed(count)
                await asyncio.sleep(QUIET_TIME - 1)
            await asyncio.sleep(QUIET_TIME)
            assert times == [2 * (QUIET_TIME - 1) + QUIET_TIME]

    travel(scenario)


def test_it_does_not_wait_for_ever():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            for _ in range(round(LONGEST_DELAY)):
                garbage.viewers_changed(1)
                await asyncio.sleep(1)
            await asyncio.sleep(0.1)
            assert times == [LONGEST_DELAY]

    travel(scenario)


def test_what_others_leave_is_collected_now_and_then():
    async def scenario(clock):
        with watched(clock) as (_, times):
            await asyncio.sleep(2 * INTERVAL + 1)
            assert times == [INTERVAL, 2 * INTERVAL]

    travel(scenario)


def test_only_while_nobody_watches_everything_is_looked_through():
    async def scenario(clock):
        with watched(clock) as (garbage, _):
            for count, everything in ((1, False), (0, True)):
                cycle = Cycle()
                gc.freeze()
                remains = weakref.ref(cycle)
                del cycle
                garbage.viewers_changed(count)
                await asyncio.sleep(QUIET_TIME + 0.1)
                assert (remains() is None) is everything

    travel(scenario)


def test_the_libraries_of_sources_are_frozen_when_the_stream_is_live():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            loaded = [[] for _ in range(5000)]
            frozen = gc.get_freeze_count()
            garbage.stream_changed(StreamStatus(StreamState.STARTING, 1.0, AudioState.ON))
            assert gc.get_freeze_count() == frozen
            garbage.stream_changed(StreamStatus(StreamState.LIVE, 1.0, AudioState.ON))
            assert gc.get_freeze_count() >= frozen + 4000
            assert times == []
            del loaded

    travel(scenario)
