"""Memory of the live daemon, what is left after many viewers, and how soon a vanished viewer is removed."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.bench.measurement import Options, Result, median
from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.process import footprint

JOINS = 200
AT_ONCE = 10
VANISHED = 5


async def measure(options: Options) -> list[Result]:
    """Run the three measurements."""
    return [await _memory(), await _joins_and_leaves(), await _vanished()]


async def _memory() -> Result:
    async with Daemon() as daemon, LightProcess(daemon.port):
        await asyncio.sleep(10)
        memory = footprint(daemon.pid).memory
    return Result("memory, live 720p30, 1 viewer", f"{memory:.0f} MB", "under 150 MB")


async def _joins_and_leaves() -> Result:
    async with Daemon(video__width=320, video__height=180, video__bitrate=200_000) as daemon:
        await _join_and_leave(daemon)
        before = footprint(daemon.pid)
        for _ in range(JOINS // AT_ONCE):
            await _join_and_leave(daemon)
        await asyncio.sleep(2)
        after = footprint(daemon.pid)
        viewers = (await daemon.status())["viewers"]
    left = f"descriptors {after.descriptors - before.descriptors:+d}, threads {after.threads - before.threads:+d}"
    growth = f"memory {after.memory - before.memory:+.1f} MB, viewers {viewers}"
    return Result(
        f"left behind by {JOINS} joins and leaves", f"{left}, {growth}", "nothing; memory levels out (see churn)"
    )


async def _join_and_leave(daemon: Daemon) -> None:
    viewers = [LightViewer(daemon.port) for _ in range(AT_ONCE)]
    await asyncio.gather(*(viewer.__aenter__() for viewer in viewers))
    await asyncio.gather(*(viewer.keyframe() for viewer in viewers))
    await asyncio.gather(*(viewer.leave() for viewer in viewers))


async def _vanished() -> Result:
    """Measured from SIGSTOP, which comes at most one heartbeat after the viewer's last message."""
    times = []
    async with Daemon(video__width=320, video__height=180, video__bitrate=200_000) as daemon:
        for _ in range(VANISHED):
            async with LightProcess(daemon.port) as viewer:
                viewer.process.send_signal(signal.SIGSTOP)
                stopped = time.monotonic()
                while (await daemon.status())["viewers"]:
                    await asyncio.sleep(0.02)
                times.append((time.monotonic() - stopped) * 1000)
    return median("viewer vanished to session closed", times, "ms", "under 7500 ms")
