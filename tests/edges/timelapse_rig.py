"""A timelapse with the disk's thread and a folder, on a hub that the test feeds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from broadcaster.devices.fakes import canned
from broadcaster.model.stream import AccessUnit
from broadcaster.outputs.recording.timelapse import PICTURE, Timelapse
from tests.edges.recorder_rig import RecorderRig


class TimelapseRig(RecorderRig):
    """A recorder rig with a timelapse; its recorder is off."""

    def __init__(self, path: Path, interval: float) -> None:
        super().__init__(path, "demand", clip=0, before=0)
        self.timelapse = Timelapse(self.hub, self.stream, self.store, self.clock, interval)

    def keyframes(self, seconds: float, every: float = 1.0) -> None:
        """Publish a keyframe every so many seconds."""
        for _ in range(round(seconds / every)):
            unit = AccessUnit(canned.pictures(*self.size)[0], self.clock.monotonic(), keyframe=True)
            self.hub.publish_video(unit)
            self.clock.advance(every)

    async def finish(self) -> list[float]:
        """Return how many pictures are in each file."""
        self.timelapse.close()
        await self.written()
        await self.recorder.close()
        return [round(duration / PICTURE) for duration in self.files.durations()]


@contextlib.asynccontextmanager
async def running(path: Path, interval: float = 10.0) -> AsyncIterator[TimelapseRig]:
    """Run a timelapse of a live stream inside the block."""
    rig = TimelapseRig(path, interval)
    await rig.recorder.start()
    rig.timelapse.start()
    rig.go_live()
    try:
        yield rig
    finally:
        rig.timelapse.close()
        await rig.recorder.close()
