"""A source's thread: what crosses into the loop, and that nothing does after close."""

import asyncio
import threading
import time

from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason


class Record:
    def __init__(self) -> None:
        self.items: list[int] = []
        self.errors: list[SourceError] = []
        self.threads: set[str] = set()

    def take(self, item: int) -> None:
        self.items.append(item)
        self.threads.add(threading.current_thread().name)


async def test_items_arrive_in_order_on_the_loops_thread():
    record = Record()
    seen: list[str] = []

    def body(thread: SourceThread[int]) -> None:
        seen.append(threading.current_thread().name)
        for item in range(100):
            thread.deliver(item)

    thread = SourceThread("numbers", body, record.take, record.errors.append)
    thread.start()
    async with asyncio.timeout(5):
        while len(record.items) < 100:
            await asyncio.sleep(0.001)
    await thread.close()
    assert record.items == list(range(100))
    assert record.threads == {threading.current_thread().name}
    assert seen == ["numbers"]


async def test_a_source_error_arrives_as_failure():
    record = Record()

    def body(thread: SourceThread[int]) -> None:
        raise SourceError(StreamReason.FILE, "gone")

    thread = SourceThread("failing", body, record.take, record.errors.append)
    thread.start()
    async with asyncio.timeout(5):
        while not record.errors:
            await asyncio.sleep(0.001)
    await thread.close()
    assert [error.detail for error in record.errors] == ["gone"]


async def test_nothing_arrives_after_close_though_it_was_on_its_way():
    record = Record()
    delivered = threading.Event()

    def body(thread: SourceThread[int]) -> None:
        thread.deliver(1)
        delivered.set()
        thread.pause(60)

    thread = SourceThread("late", body, record.take, record.errors.append)
    thread.start()
    assert delivered.wait(5)  # the item waits for the loop, which is busy here
    await thread.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert record.items == []


async def test_close_ends_a_waiting_thread_at_once_and_is_idempotent():
    record = Record()
    answers: list[bool] = []
    waiting = threading.Event()

    def body(thread: SourceThread[int]) -> None:
        answers.append(thread.pause(0))
        waiting.set()
        answers.append(thread.pause(60))
        answers.append(thread.pause(-1))

    thread = SourceThread("waiting", body, record.take, record.errors.append)
    thread.start()
    assert waiting.wait(5)
    began = time.monotonic()
    await thread.close()
    await thread.close()
    assert time.monotonic() - began < 1.0
    assert answers == [True, False, False]
    assert "waiting" not in [other.name for other in threading.enumerate()]


def test_a_thread_outlives_its_loop_without_harm():
    record = Record()
    go, done = threading.Event(), threading.Event()

    def body(thread: SourceThread[int]) -> None:
        go.wait(5)
        thread.deliver(1)
        done.set()

    async def start() -> None:
        SourceThread("orphan", body, record.take, record.errors.append).start()

    asyncio.run(start())
    go.set()
    assert done.wait(5)
    assert record.items == []
