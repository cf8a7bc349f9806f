"""The daemon without free file descriptors: viewers stay connected, and each shortage is logged once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections.abc import Iterator

import aiohttp

from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}


@contextlib.contextmanager
def descriptors(pid: int, more: int) -> Iterator[None]:
    """Limit a process to `more` descriptors than it has open now, inside the block."""
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + more, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def try_to_join(port: int) -> None:
    """Connect as a viewer, and leave after a keyframe or when that fails."""
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(2), LightViewer(port) as viewer:
            await viewer.keyframe()


async def test_without_descriptors_viewers_stay_and_each_shortage_is_logged_once():
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        with descriptors(daemon.pid, 0):
            packets = viewer.packets
            await asyncio.gather(*(try_to_join(daemon.port) for _ in range(3)))
            async with asyncio.timeout(10):
                while "cannot look for new cameras" not in daemon.log or viewer.packets < packets + 30:
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(10), LightViewer(daemon.port) as second:
            await second.keyframe()
        assert viewer.gaps == 0
        assert viewer.close_code is None
        for message in ("cannot accept connections for now", "cannot look for new cameras"):
            assert daemon.log.count(message) == 1
        assert "Traceback" not in daemon.log
        assert (await daemon.status())["openings"] == 1


async def test_with_few_descriptors_connected_viewers_get_every_packet():
    async with Daemon(**SMALL) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        for more in range(1, 7):
            with descriptors(daemon.pid, more):
                await try_to_join(daemon.port)
        assert (viewer.gaps, viewer.close_code) == (0, None)
        async with asyncio.timeout(15), LightViewer(daemon.port) as second:
            await second.keyframe()
        assert "refusing new viewers" not in daemon.log
        assert "Traceback" not in daemon.log
