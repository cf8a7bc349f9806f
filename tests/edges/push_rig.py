"""A live stream in this process that is pushed to media servers over real HTTP and UDP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broadcaster.devices.clock import SystemClock
from broadcaster.model.push import PushState, PushStats
from broadcaster.model.stream import StreamState
from broadcaster.settings import PushTarget
from broadcaster.web.push.targets import PushTargets
from tests.edges.web_rig import ControlledStream
from tests.edges.webrtc_driver import Camera, WebRtcDriver, live


class PushRig:
    """The stream, and the targets to which it is pushed."""

    def __init__(self, driver: WebRtcDriver, folder: Path) -> None:
        self.driver = driver
        self.stream = ControlledStream(StreamState.LIVE)
        self.targets = PushTargets(driver.peers, self.stream, SystemClock(), folder)

    @property
    def stats(self) -> PushStats:
        """The status of the first target."""
        return self.targets.stats()[0]

    def push(self, url: str, **fields: object) -> None:
        """Push to this URL, and to no other."""
        self.targets.apply((PushTarget("test", url, **fields),))

    async def until(self, state: PushState, limit: float = 20.0) -> PushStats:
        """Wait for a state of the first target."""
        return await self.until_stats(lambda stats: stats.state is state, limit)

    async def until_stats(self, condition: Callable[[PushStats], object], limit: float = 20.0) -> PushStats:
        """Wait until the status of the first target fulfils the condition."""
        async with asyncio.timeout(limit):
            while not condition(self.stats):
                await asyncio.sleep(0.01)
        return self.stats


@contextlib.asynccontextmanager
async def pushing(folder: Path) -> AsyncIterator[PushRig]:
    """Publish a stream meanwhile, and check that nothing is left behind."""
    async with live(Camera(noise=True)) as driver:
        rig = PushRig(driver, folder)
        try:
            yield rig
        finally:
            await rig.targets.close()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("push")]
        assert not rig.stream.listeners
        assert not driver.fanout._viewers
