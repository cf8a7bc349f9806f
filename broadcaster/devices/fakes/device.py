"""What the fake camera and the fake microphone have in common: being opened, going on, and failing on request."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Generic, Protocol, TypeVar

from broadcaster.devices.blocking import Worker
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import Clock

Sink = TypeVar("Sink", bound="FailureSink")

GARBAGE_SIZE = 1000

_FOR_EVER = 3600.0
"""Seconds."""


class FailureSink(Protocol):
    """The part of a sink that is the same for pictures and sound."""

    def failed(self, error: SourceError) -> None:
        """The source is done for."""


class FakeDevice(Generic[Sink]):
    """A device that delivers one item at each `step()`, or by itself in real time.

    It keeps the rules of the real ones: nothing is delivered before `open`, after `close`, or after it has
    failed; it can be opened again after `close`, and not twice.
    """

    def __init__(self, clock: Clock, period: float, *, real_time: bool, lost: StreamReason) -> None:
        self.opened = 0
        self.closed = 0
        self._clock = clock
        self._period = period
        self._real_time = real_time
        self._lost = lost
        self._sink: Sink | None = None
        self._task: asyncio.Task[None] | None = None
        self._open_errors: list[SourceError] = []
        self._stalled = self._gone = self._hung = False
        self._time_shift = 0.0
        self._garbage = False

    @property
    def is_open(self) -> bool:
        """Whether it is open, failed or not."""
        return self._sink is not None

    async def open(self, sink: Sink) -> None:
        """Begin to deliver into `sink`. Raises `SourceError` if so scripted, RuntimeError if open already."""
        if self._sink is not None:
            raise RuntimeError("the device is open already")
        if self._open_errors:
            raise self._open_errors.pop(0)
        self.opened += 1
        self._sink = sink
        self._stalled = self._gone = self._garbage = False
        self._time_shift = 0.0
        self._begin()
        if self._real_time:
            self._task = asyncio.create_task(self._go_on(), name=type(self).__name__)

    async def close(self) -> None:
        """Stop delivering; idempotent. Raises `DeviceHung` if so scripted."""
        if self._sink is not None:
            self.closed += 1
        self._sink = None
        task, self._task = self._task, None
        if task:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._hung:
            await Worker(type(self).__name__).close(lambda: time.sleep(_FOR_EVER))

    def step(self) -> None:
        """Deliver the next item, captured now; nothing while closed, stalled or failed."""
        if self._sink is not None and not self._stalled and not self._gone:
            self._deliver(self._sink, self._clock.monotonic() + self._time_shift, garbage=self._garbage)
            self._garbage = False

    def fail_open(self, reason: StreamReason, detail: str = "scripted", times: int = 1) -> None:
        """Let the next `times` calls of `open` raise `SourceError(reason, detail)`."""
        self._open_errors += [SourceError(reason, detail) for _ in range(times)]

    def mend(self) -> None:
        """Let `open` succeed from now on: what was missing is there."""
        self._open_errors.clear()

    def hang(self) -> None:
        """Stall, and let `close` hang too, as drivers do whose device is gone."""
        self._stalled = self._hung = True

    def stall(self) -> None:
        """Deliver nothing more and say nothing, like a loose cable, until `resume` or a new `open`."""
        self._stalled = True

    def resume(self) -> None:
        """End a stall."""
        self._stalled = False

    def vanish(self) -> None:
        """Fail as if unplugged: the sink hears it, and nothing comes any more until it is opened anew."""
        if self._sink is not None and not self._gone:
            self._gone = True
            self._sink.failed(SourceError(self._lost, "scripted: the device is gone"))

    def shift_time(self, seconds: float) -> None:
        """Let all times of capture from now on be off by so much more; negative: time goes back."""
        self._time_shift += seconds

    def garble(self) -> None:
        """Let the next item be garbage instead of what an encoder gives."""
        self._garbage = True

    def _begin(self) -> None:
        """The device has been opened."""

    def _deliver(self, sink: Sink, captured: float, *, garbage: bool) -> None:
        raise NotImplementedError

    async def _go_on(self) -> None:
        due = self._clock.monotonic()
        while True:
            self.step()
            due += self._period
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))


def garbage_bytes() -> bytes:
    """Bytes that mean nothing, the same ones each time."""
    return random.Random(0).randbytes(GARBAGE_SIZE)
