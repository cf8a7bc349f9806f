"""A source's thread: what crosses into the loop, and that nothing does after close."""

import asyncio
import struct
import threading
import time

import av
import pytest

from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceBug, SourceError, StreamReason


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


ODD = [
    (SourceError(StreamReason.ENCODER, "no memory"), StreamReason.ENCODER, "no memory"),
    (OSError(5, "Input/output error"), StreamReason.FILE, "odd: Input/output error"),
    (av.error.EOFError(0, "End of file"), StreamReason.FILE, "odd: End of file"),
    (struct.error("unpack requires 4 bytes"), StreamReason.INTERNAL, "internal error in odd: error: unpack requires"),
    (StopIteration("end"), StreamReason.INTERNAL, "internal error in odd: StopIteration: end"),
    (MemoryError(), StreamReason.INTERNAL, "internal error in odd: MemoryError"),
]


async def ended(thread: SourceThread[int], record: Record) -> SourceError:
    """Run it, and wait until it has failed; returns its only error."""
    thread.start()
    async with asyncio.timeout(5):
        while not record.errors:
            await asyncio.sleep(0.001)
    await thread.close()
    (error,) = record.errors
    return error


@pytest.mark.parametrize(("raised", "reason", "words"), ODD, ids=lambda value: type(value).__name__)
async def test_whatever_a_body_raises_is_a_failure_of_the_source_and_of_nothing_else(
    raised, reason, words, monkeypatch
):
    escaped = []
    monkeypatch.setattr(threading, "excepthook", escaped.append)
    record = Record()

    def body(thread: SourceThread[int]) -> None:
        thread.deliver(1)
        raise raised

    error = await ended(SourceThread("odd", body, record.take, record.errors.append, StreamReason.FILE), record)
    assert (error.reason, error.detail[: len(words)]) == (reason, words)
    assert isinstance(error, SourceBug) is (reason is StreamReason.INTERNAL)
    assert record.items == [1], "what was delivered before arrives before"
    assert escaped == []


async def test_an_exception_of_whoever_takes_an_item_fails_the_source_once_and_ends_its_thread():
    record = Record()

    def take(item: int) -> None:
        record.take(item)
        if item == 3:
            raise LookupError("a bug")

    def body(thread: SourceThread[int]) -> None:
        item = 0
        while thread.pause(0):
            item += 1
            thread.deliver(item)
            time.sleep(0.001)

    thread = SourceThread("numbers", body, take, record.errors.append)
    error = await ended(thread, record)
    assert isinstance(error, SourceBug)
    assert (error.where, str(error.bug)) == ("handling an item of numbers", "a bug")
    assert record.items == [1, 2, 3]
    assert not thread.is_running


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
