"""Schedule of full garbage collections, on a simulated clock."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Iterator

from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.service.garbage import FEW, INTERVAL, LONGEST_DELAY, MAX_LEFT, QUIET_TIME, GarbageCollection
from tests.rigs.timetravel import TravelClock, travel


class Cycle:
    """An object that only the garbage collector can free."""

    def __init__(self) -> None:
        self.itself = self


@contextlib.contextmanager
def watched(clock: TravelClock) -> Iterator[tuple[GarbageCollection, list[float]]]:
    """Yield a started `GarbageCollection`, and the times of full collections since its start in seconds."""
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


def test_objects_of_start_up_are_frozen_and_python_starts_no_full_collection():
    async def scenario(clock):
        with watched(clock) as (_, times):
            assert gc.get_freeze_count() > 10_000
            kept = [[] for _ in range(200_000)]  # Python itself would run a full collection by now
            assert times == []
            del kept

    travel(scenario)


def test_collection_waits_until_no_viewer_joins_or_leaves():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            for count in range(1, 4):
                garbage.viewers_changed(count)
                await asyncio.sleep(QUIET_TIME - 1)
            await asyncio.sleep(QUIET_TIME)
            assert times == [2 * (QUIET_TIME - 1) + QUIET_TIME]

    travel(scenario)


def test_collection_is_delayed_at_most_by_the_longest_delay():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            for _ in range(round(LONGEST_DELAY)):
                garbage.viewers_changed(1)
                await asyncio.sleep(1)
            await asyncio.sleep(0.1)
            assert times == [LONGEST_DELAY]

    travel(scenario)


def test_collection_runs_at_regular_intervals():
    async def scenario(clock):
        with watched(clock) as (_, times):
            await asyncio.sleep(2 * INTERVAL + 1)
            assert times == [INTERVAL, 2 * INTERVAL]

    travel(scenario)


def test_frozen_objects_are_collected_only_without_viewers():
    async def scenario(clock):
        with watched(clock) as (garbage, _):
            for count, collected in ((1, False), (0, True)):
                cycle = Cycle()
                gc.freeze()
                reference = weakref.ref(cycle)
                del cycle
                garbage.viewers_changed(count)
                await asyncio.sleep(QUIET_TIME + 0.1)
                assert (reference() is None) is collected

    travel(scenario)


def test_many_viewers_are_frozen_instead_of_collected():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            viewers = [[] for _ in range(5000)]
            young = Cycle()
            reference = weakref.ref(young)
            del young
            frozen = gc.get_freeze_count()
            garbage.viewers_changed(FEW + 1)
            await asyncio.sleep(QUIET_TIME + 0.1)
            assert times == []
            assert reference() is None
            assert gc.get_freeze_count() >= frozen + 4000
            garbage.viewers_changed(FEW)
            await asyncio.sleep(QUIET_TIME + 0.1)
            assert len(times) == 1
            del viewers

    travel(scenario)


def test_what_many_viewers_leave_behind_is_collected_once_enough_have_left():
    async def scenario(clock):
        with watched(clock) as (garbage, times):
            cycle = Cycle()
            gc.freeze()
            reference = weakref.ref(cycle)
            del cycle
            for _ in range(MAX_LEFT // 100 + 1):
                assert reference() is not None
                garbage.viewers_changed(FEW + 101)
                garbage.viewers_changed(FEW + 1)
                await asyncio.sleep(QUIET_TIME + 0.1)
            assert reference() is None
            assert len(times) == 1

    travel(scenario)


def test_libraries_of_sources_are_frozen_when_the_stream_is_live():
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
