"""The common part of the fake camera and the fake microphone: opening, delivering, and failing on request."""

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
"""Bytes of an item that is garbage."""
_HANG_TIME = 3600.0
"""Seconds that a hung call takes: longer than any test."""


class FailureSink(Protocol):
    """The part of a sink that is the same for video and audio."""

    def failed(self, error: SourceError) -> None:
        """Take the error that ended the source."""


class FakeDevice(Generic[Sink]):
    """A device that delivers one item per `step()`, or by itself in real time.

    It keeps the rules of the real ones: it delivers nothing before `open`, after `close`, or after it has failed; it
    can be opened again after `close`, but not twice.
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
        """Start delivering into `sink`. Raises `SourceError` if so scripted, RuntimeError if it is open already."""
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
            self._task = asyncio.create_task(self._step_in_real_time(), name=type(self).__name__)

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
            await Worker(type(self).__name__).close(lambda: time.sleep(_HANG_TIME))

    def step(self) -> None:
        """Deliver the next item, captured now; do nothing while closed, stalled or failed."""
        if self._sink is not None and not self._stalled and not self._gone:
            self._deliver(self._sink, self._clock.monotonic() + self._time_shift, garbage=self._garbage)
            self._garbage = False

    def fail_open(self, reason: StreamReason, detail: str = "scripted", times: int = 1) -> None:
        """Make the next `times` calls of `open` raise `SourceError(reason, detail)`."""
        self._open_errors += [SourceError(reason, detail) for _ in range(times)]

    def mend(self) -> None:
        """Make `open` succeed from now on."""
        self._open_errors.clear()

    def hang(self) -> None:
        """Stall, and make `close` hang too, as drivers do when their device is gone."""
        self._stalled = self._hung = True

    def stall(self) -> None:
        """Deliver nothing and report nothing, like a loose cable, until `resume` or the next `open`."""
        self._stalled = True

    def resume(self) -> None:
        """End a stall."""
        self._stalled = False

    def vanish(self) -> None:
        """Fail as if unplugged: report the error, and deliver nothing until the next `open`."""
        if self._sink is not None and not self._gone:
            self._gone = True
            self._sink.failed(SourceError(self._lost, "scripted: the device is gone"))

    def shift_time(self, seconds: float) -> None:
        """Shift all capture times from now on; backwards if negative."""
        self._time_shift += seconds

    def garble(self) -> None:
        """Make the next item garbage instead of valid encoded data."""
        self._garbage = True

    def _begin(self) -> None:
        """Reset the device after it has been opened."""

    def _deliver(self, sink: Sink, captured: float, *, garbage: bool) -> None:
        raise NotImplementedError

    async def _step_in_real_time(self) -> None:
        due = self._clock.monotonic()
        while True:
            self.step()
            due += self._period
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))


def garbage_bytes() -> bytes:
    """Return bytes that are not valid encoded data, always the same."""
    return random.Random(0).randbytes(GARBAGE_SIZE)
