"""Stills: the last keyframe as JPEG, decoded and encoded once, and only if somebody asks for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState, StreamStatus
from broadcaster.outputs.subscription import LastingSubscription
from broadcaster.ports import Clock, StreamControl
from broadcaster.stream.hub import Hub

FRESH_LIMIT = 3.0
"""Seconds to wait for a forced keyframe: longer than the keyframe gate lets a single requester wait."""

_NAME = "stills"


class NoStill(Exception):
    """There is no keyframe, or it cannot be decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """A keyframe, numbered by the daemon; `published` in Unix seconds."""

    number: int
    unit: AccessUnit
    published: float


class Stills:
    """Keeps the last keyframe while the stream is live (`hub.Subscriber`).

    `to_jpeg` is called in a thread, for one keyframe at a time; it raises ValueError for a keyframe without a picture.
    """

    def __init__(self, hub: Hub, stream: StreamControl, clock: Clock, to_jpeg: Callable[[bytes], bytes]) -> None:
        self._hub = hub
        self._stream = stream
        self._clock = clock
        self._to_jpeg = to_jpeg
        self._last: Keyframe | None = None
        self._number = 0
        self._changed = asyncio.Event()
        self._jpeg: tuple[Keyframe, asyncio.Task[bytes]] | None = None
        self._subscription = LastingSubscription(hub, stream, _NAME, self, self._stream_changed)

    def start(self) -> None:
        """Follow the stream."""
        self._subscription.start()

    def close(self) -> None:
        """Follow the stream no longer; idempotent."""
        self._subscription.close()
        self._forget()

    @property
    def is_live(self) -> bool:
        """Whether there are pictures now."""
        return self._stream.status.state is StreamState.LIVE

    @property
    def last(self) -> Keyframe | None:
        """The last keyframe; None while the stream is not live, and until its first picture."""
        return self._last

    async def change(self) -> None:
        """Wait until there is another keyframe, the stream is no longer live, or `wake` is called."""
        await self._changed.wait()

    def wake(self) -> None:
        """Let those who wait in `change` go on."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def fresh(self) -> Keyframe | None:
        """Force a keyframe, and return it; the last one if the source does not make one in time."""
        before = self._last
        self._hub.full.request_keyframe(f"{_NAME}, fresh", self._clock.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FRESH_LIMIT):
                while self.is_live and self._last is before:
                    await self.change()
        return self._last

    async def jpeg(self, keyframe: Keyframe) -> bytes:
        """Return a keyframe as JPEG; all who ask for the same one share the work. Raises `NoStill`."""
        while self._jpeg is None or self._jpeg[0] is not keyframe:
            if self._jpeg is None or self._jpeg[1].done():
                task = asyncio.create_task(self._convert(keyframe), name="still")
                task.add_done_callback(_retrieve)
                self._jpeg = keyframe, task
            else:
                await asyncio.wait([self._jpeg[1]])
        return await asyncio.shield(self._jpeg[1])

    def source_changed(self) -> None:
        """Forget the picture of the last source (`hub.Subscriber`)."""
        self._forget()

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Keep a keyframe (`hub.Subscriber`)."""
        if unit.keyframe:
            self._number += 1
            self._last = Keyframe(self._number, unit, self._clock.unix())
            self.wake()
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Ignore audio (`hub.Subscriber`)."""

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment (`hub.Subscriber`)."""
        self._subscription.renew()

    async def _convert(self, keyframe: Keyframe) -> bytes:
        try:
            return await asyncio.to_thread(self._to_jpeg, keyframe.unit.data)
        except ValueError as error:
            raise NoStill(str(error)) from error

    def _stream_changed(self, status: StreamStatus) -> None:
        if status.state is not StreamState.LIVE:
            self._forget()

    def _forget(self) -> None:
        self._last = self._jpeg = None
        self.wake()


def _retrieve(task: asyncio.Task[bytes]) -> None:
    """Mark an error as seen, also if those who asked for the picture are gone."""
    if not task.cancelled():
        task.exception()
