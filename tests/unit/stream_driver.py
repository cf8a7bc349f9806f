"""A stream controller with devices that fail on request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from broadcaster.errors import StreamReason
from broadcaster.model.stream import AccessUnit, AudioState, OpusFrame, Quality, StreamState
from broadcaster.ports import VideoTraits
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.controller import StreamController
from broadcaster.stream.hub import Hub
from tests.rigs.timetravel import TravelClock

KEYFRAME = b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce\0\0\0\1\x65x"


class Device:
    """A device that counts calls of `open`, which take `open_seconds` and raise `fault` if it is set."""

    fault: Exception | None = None
    open_seconds = 0.0

    def __init__(self) -> None:
        self.opened = 0
        self.is_open = False
        self.sink = None

    async def open(self, sink, small=None) -> None:
        self.opened += 1
        if self.open_seconds:
            await asyncio.sleep(self.open_seconds)
        if self.fault:
            raise self.fault
        self.is_open, self.sink = True, sink

    async def close(self) -> None:
        self.is_open = False


class Camera(Device):
    traits = VideoTraits("fake", "fake", 640, 360, 30, True, False)

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        pass

    def deliver(self, clock: TravelClock) -> None:
        self.sink.picture(AccessUnit(KEYFRAME, clock.now, keyframe=True))


class Microphone(Device):
    name = "fake"

    def deliver(self, clock: TravelClock) -> None:
        self.sink.frame(OpusFrame(b"opus", clock.now))


class StreamDriver:
    def __init__(self, clock: TravelClock, *, with_microphone: bool = True) -> None:
        self.clock, self.camera, self.microphone = clock, Camera(), Microphone()
        self.desired_states: list[bool] = []
        hub = Hub(clock)
        self.audio_frames: list[OpusFrame] = []
        hub.publish_audio = self.audio_frames.append
        source = self.microphone if with_microphone else None
        self.bugs = BugLog()
        self.controller = StreamController(
            self.camera, source, hub, clock, bugs=self.bugs, on_desired_state=self.desired_states.append
        )
        self.states: list[tuple[StreamState, StreamReason | None, AudioState]] = []
        self.controller.watch(lambda status: self.states.append((status.state, status.reason, status.sound)))

    @property
    def state(self) -> StreamState:
        return self.controller.status.state

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.controller.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not self.camera.is_open
        assert not self.microphone.is_open

    async def raise_bug(self) -> None:
        raise LookupError("a bug")

    async def go_live(self) -> None:
        self.controller.set_live(True)
        await asyncio.sleep(0.1)
        self.camera.deliver(self.clock)
        assert self.state is StreamState.LIVE
