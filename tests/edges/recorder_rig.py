"""The recorder with its thread and a folder, on a hub that the test feeds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from broadcaster.devices.fakes import canned
from broadcaster.devices.fakes.camera import FakeCamera
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.model.stream import AccessUnit, AudioState, OpusFrame, StreamState, StreamStatus
from broadcaster.outputs.recording.recorder import Recorder
from broadcaster.settings import RecordSettings
from broadcaster.storage.recordings.store import DiskStore, open_store
from broadcaster.stream.hub import Hub
from tests.edges.recording_rig import NOON, Files


class Stream:
    """The part of `ports.StreamControl` that the recorder uses."""

    def __init__(self) -> None:
        self.status = StreamStatus(StreamState.OFFLINE, 0.0, AudioState.ON)
        self._listeners: list[Callable[[StreamStatus], None]] = []

    def watch(self, listener: Callable[[StreamStatus], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def become(self, state: StreamState) -> None:
        self.status = replace(self.status, state=state)
        for listener in tuple(self._listeners):
            listener(self.status)


class RecorderRig:
    def __init__(self, path: Path, mode: str, **settings: float) -> None:
        self.clock = FakeClock(unix=NOON)
        self.hub = Hub(self.clock)
        self.stream = Stream()
        self.files = Files(path / "recordings")
        record = RecordSettings(mode=mode, keep_free=0, **settings)  # type: ignore[arg-type]
        self.store: DiskStore = open_store(record, path, self.clock)
        self.recorder = Recorder(self.hub, self.stream, self.store, self.clock, record)  # type: ignore[arg-type]
        self.size = (canned.WIDTH, canned.HEIGHT)
        self._index = 0

    def go_live(self) -> None:
        self.hub.attach(FakeCamera(self.clock))
        self._index = 0
        self.stream.become(StreamState.LIVE)

    def go_offline(self, state: StreamState = StreamState.OFFLINE) -> None:
        if state is StreamState.OFFLINE:
            self.stream.become(StreamState.STOPPING)
        self.stream.become(state)

    def play(self, seconds: float, *, audio: bool = True) -> None:
        """Publish so many seconds of video, with a keyframe each second, and audio."""
        pictures, frames = canned.pictures(*self.size), canned.audio_frames()
        for _ in range(round(seconds * canned.FPS)):
            now, index = self.clock.monotonic(), self._index % canned.FPS
            self.hub.publish_video(AccessUnit(pictures[index], now, index == 0))
            begin, end = self._index * 50 // canned.FPS, (self._index + 1) * 50 // canned.FPS
            for number in range(begin, end) if audio else ():
                self.hub.publish_audio(OpusFrame(frames[number % 50], now + (number - begin) / 50))
            self._index += 1
            self.clock.advance(1 / canned.FPS)

    async def written(self) -> None:
        """Wait until everything that was handed to the disk is there."""
        async with asyncio.timeout(10):
            while self.store.waiting:
                await asyncio.sleep(0.005)

    async def finish(self) -> list[float]:
        """Close the recorder, and return the durations of the files."""
        await self.recorder.close()
        return [round(duration, 1) for duration in self.files.durations()]


@contextlib.asynccontextmanager
async def recording(path: Path, mode: str = "live", **settings: float) -> AsyncIterator[RecorderRig]:
    """Run a recorder inside the block."""
    rig = RecorderRig(path, mode, **settings)
    await rig.recorder.start()
    try:
        yield rig
    finally:
        await rig.recorder.close()
