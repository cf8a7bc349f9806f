"""A source's thread: delivery on the event loop, errors, and no delivery after close."""

import asyncio
import struct
import threading
import time

import av
import pytest

from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceBug, SourceError, StreamReason


class Collector:
    def __init__(self) -> None:
        self.items: list[int] = []
        self.errors: list[SourceError] = []
        self.threads: set[str] = set()

    def take(self, item: int) -> None:
        self.items.append(item)
        self.threads.add(threading.current_thread().name)


async def test_items_arrive_in_order_on_the_event_loop():
    collected = Collector()
    thread_names: list[str] = []

    def body(thread: SourceThread[int]) -> None:
        thread_names.append(threading.current_thread().name)
        for item in range(100):
            thread.deliver(item)

    thread = SourceThread("numbers", body, collected.take, collected.errors.append)
    thread.start()
    async with asyncio.timeout(5):
        while len(collected.items) < 100:
            await asyncio.sleep(0.001)
    await thread.close()
    assert collected.items == list(range(100))
    assert collected.threads == {threading.current_thread().name}
    assert thread_names == ["numbers"]


async def test_source_error_is_reported():
    collected = Collector()

    def body(thread: SourceThread[int]) -> None:
        raise SourceError(StreamReason.FILE, "gone")

    thread = SourceThread("failing", body, collected.take, collected.errors.append)
    thread.start()
    async with asyncio.timeout(5):
        while not collected.errors:
            await asyncio.sleep(0.001)
    await thread.close()
    assert [error.detail for error in collected.errors] == ["gone"]


EXCEPTIONS = [
    (SourceError(StreamReason.ENCODER, "no memory"), StreamReason.ENCODER, "no memory"),
    (OSError(5, "Input/output error"), StreamReason.FILE, "odd: Input/output error"),
    (av.error.EOFError(0, "End of file"), StreamReason.FILE, "odd: End of file"),
    (struct.error("unpack requires 4 bytes"), StreamReason.INTERNAL, "internal error in odd: error: unpack requires"),
    (StopIteration("end"), StreamReason.INTERNAL, "internal error in odd: StopIteration: end"),
    (MemoryError(), StreamReason.INTERNAL, "internal error in odd: MemoryError"),
]


async def run_until_failed(thread: SourceThread[int], collected: Collector) -> SourceError:
    """Run the thread until it has failed, and return its only error."""
    thread.start()
    async with asyncio.timeout(5):
        while not collected.errors:
            await asyncio.sleep(0.001)
    await thread.close()
    (error,) = collected.errors
    return error


@pytest.mark.parametrize(("raised", "reason", "text"), EXCEPTIONS, ids=lambda value: type(value).__name__)
async def test_any_exception_of_the_body_fails_the_source_only(raised, reason, text, monkeypatch):
    escaped = []
    monkeypatch.setattr(threading, "excepthook", escaped.append)
    collected = Collector()

    def body(thread: SourceThread[int]) -> None:
        thread.deliver(1)
        raise raised

    error = await run_until_failed(
        SourceThread("odd", body, collected.take, collected.errors.append, StreamReason.FILE), collected
    )
    assert (error.reason, error.detail[: len(text)]) == (reason, text)
    assert isinstance(error, SourceBug) is (reason is StreamReason.INTERNAL)
    assert collected.items == [1], "an item delivered before the error arrives before it"
    assert escaped == []


async def test_exception_while_taking_an_item_fails_the_source_once_and_ends_its_thread():
    collected = Collector()

    def take(item: int) -> None:
        collected.take(item)
        if item == 3:
            raise LookupError("a bug")

    def body(thread: SourceThread[int]) -> None:
        item = 0
        while thread.pause(0):
            item += 1
            thread.deliver(item)
            time.sleep(0.001)

    thread = SourceThread("numbers", body, take, collected.errors.append)
    error = await run_until_failed(thread, collected)
    assert isinstance(error, SourceBug)
    assert (error.where, str(error.bug)) == ("handling an item of numbers", "a bug")
    assert collected.items == [1, 2, 3]
    assert not thread.is_running


async def test_queued_item_is_dropped_by_close():
    collected = Collector()
    delivered = threading.Event()

    def body(thread: SourceThread[int]) -> None:
        thread.deliver(1)
        delivered.set()
        thread.pause(60)

    thread = SourceThread("late", body, collected.take, collected.errors.append)
    thread.start()
    assert delivered.wait(5)  # the item is queued, because the loop is blocked here
    await thread.close()
    for _ in range(3):
        await asyncio.sleep(0)
    assert collected.items == []


async def test_close_wakes_a_pausing_thread_and_is_idempotent():
    collected = Collector()
    answers: list[bool] = []
    waiting = threading.Event()

    def body(thread: SourceThread[int]) -> None:
        answers.append(thread.pause(0))
        waiting.set()
        answers.append(thread.pause(60))
        answers.append(thread.pause(-1))

    thread = SourceThread("waiting", body, collected.take, collected.errors.append)
    thread.start()
    assert waiting.wait(5)
    began = time.monotonic()
    await thread.close()
    await thread.close()
    assert time.monotonic() - began < 1.0
    assert answers == [True, False, False]
    assert "waiting" not in [other.name for other in threading.enumerate()]


def test_thread_may_outlive_its_event_loop():
    collected = Collector()
    go, done = threading.Event(), threading.Event()

    def body(thread: SourceThread[int]) -> None:
        go.wait(5)
        thread.deliver(1)
        done.set()

    async def start() -> None:
        SourceThread("orphan", body, collected.take, collected.errors.append).start()

    asyncio.run(start())
    go.set()
    assert done.wait(5)
    assert collected.items == []
