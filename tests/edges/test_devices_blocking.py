"""Calls that may hang: deadlines, order, and errors of a close that hangs."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Iterator

import pytest

from broadcaster.devices.blocking import Overdue, Worker, in_thread
from broadcaster.errors import DeviceHung


@contextlib.contextmanager
def hanging() -> Iterator[threading.Event]:
    """Yield an event to wait for, which is set at the end, so that no thread is left behind."""
    release = threading.Event()
    try:
        yield release
    finally:
        release.set()


async def test_call_returns_results_and_raises_errors_without_blocking_the_loop():
    worker, entered, go = Worker("device"), threading.Event(), threading.Event()

    def slow() -> str:
        entered.set()
        assert go.wait(5)
        return threading.current_thread().name

    call = asyncio.create_task(worker.call(slow, 5))
    async with asyncio.timeout(5):
        while not entered.is_set():
            await asyncio.sleep(0.001)
    go.set()
    assert (await call).startswith("device")
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0, 5)
    await worker.close(lambda: None)


def test_call_blocking_returns_results_and_has_a_deadline():
    worker = Worker("device")
    assert worker.call_blocking(lambda: 7, 5) == 7
    with hanging() as release, pytest.raises(Overdue):
        worker.call_blocking(release.wait, 0.01)
    worker.end()


async def test_close_succeeds_after_an_overdue_call_has_returned():
    worker, closed = Worker("device"), []
    with hanging() as release:
        with pytest.raises(Overdue):
            await worker.call(release.wait, 0.01)
        release.set()
        await worker.close(lambda: closed.append(True))
    assert closed == [True]


async def test_close_behind_a_hanging_call_raises_device_hung():
    worker = Worker("the camera")
    with hanging() as release:
        with pytest.raises(Overdue):
            await worker.call(release.wait, 0.01)
        with pytest.raises(DeviceHung, match="the camera hangs"):
            await worker.close(lambda: None, 0.01)
        async with asyncio.timeout(1):
            with pytest.raises(DeviceHung):  # at once, because the earlier close did not return
                await worker.close(lambda: None, 60)


async def test_a_hanging_close_raises_device_hung():
    worker = Worker("the camera")
    with hanging() as release, pytest.raises(DeviceHung):
        await worker.close(release.wait, 0.01)


async def test_errors_of_posted_calls_and_of_close_are_logged(caplog):
    worker, seen = Worker("the camera"), []

    def fail(text: str) -> None:
        raise RuntimeError(text)

    worker.post(lambda: seen.append(1))
    worker.post(lambda: fail("no such control"))
    await worker.close(lambda: fail("release failed"))
    assert seen == [1]
    assert [record.message for record in caplog.records] == [
        "the camera: no such control",
        "the camera: release failed",
    ]


async def test_cancelling_in_thread_does_not_wait_for_the_call():
    with hanging() as release:
        call = asyncio.create_task(in_thread("file", release.wait))
        await asyncio.sleep(0.01)
        call.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "file"]
        assert thread.daemon, "otherwise the process could not exit"
    thread.join(5)
    assert not thread.is_alive()


async def test_worker_keeps_no_reference_to_a_result():
    class Camera:
        pass

    worker = Worker("device")
    camera = await worker.call(Camera, 5)
    alive = weakref.ref(camera)
    del camera
    await worker.call(lambda: None, 5)
    assert alive() is None
    await worker.close(lambda: None)
