"""The thread that blocks instead of the event loop: in order, bounded, and without calls for which nobody waits."""

import asyncio
import threading

import pytest

from broadcaster.errors import BusyError
from broadcaster.worker import Worker


async def test_calls_are_made_in_order_in_one_other_thread():
    worker, seen = Worker("test", 100), []

    def call(number: int) -> int:
        seen.append((number, threading.get_ident()))
        return number * 2

    answers = await asyncio.gather(*(worker.run(lambda number=number: call(number)) for number in range(50)))
    assert answers == [number * 2 for number in range(50)]
    assert [number for number, _ in seen] == list(range(50))
    assert threading.get_ident() not in {thread for _, thread in seen}


async def test_errors_are_raised_for_the_caller_only():
    worker = Worker("test", 10)
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 / 0)
    assert await worker.run(lambda: 5) == 5


async def test_too_many_calls_are_refused_and_the_others_are_made():
    worker, go = Worker("test", 3), threading.Event()
    calls = [asyncio.ensure_future(worker.run(go.wait)) for _ in range(6)]
    await asyncio.sleep(0)
    refused = [call for call in calls if call.done()]
    assert len(refused) == 2
    assert all(isinstance(call.exception(), BusyError) for call in refused)
    go.set()
    assert await asyncio.gather(*(call for call in calls if call not in refused)) == [True] * 4
    assert await worker.run(lambda: "again") == "again"


async def test_call_that_was_cancelled_while_it_waited_is_not_made():
    worker, go, made = Worker("test", 10), threading.Event(), []
    first = asyncio.ensure_future(worker.run(go.wait))
    waiting = [asyncio.ensure_future(worker.run(lambda number=number: made.append(number))) for number in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.gather(waiting[1], return_exceptions=True)
    go.set()
    await asyncio.gather(first, waiting[0], waiting[2])
    assert made == [0, 2]


async def test_thread_ends_when_there_is_nothing_to_do():
    worker = Worker("a thread of this test", 10)
    thread = await worker.run(threading.current_thread)
    assert (thread.name, thread.daemon) == ("a thread of this test", True)
    await asyncio.to_thread(thread.join, 10)
    assert not thread.is_alive()
    assert await worker.run(threading.current_thread) is not thread
