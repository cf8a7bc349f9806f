"""The daemon as systemd sees it: what it says on the notification socket, and what it leaves when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import pytest

from tests.rigs.daemon import Daemon

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}


class Manager:
    """The service manager's end of the socket."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    async def hear(self, wanted: str, limit: float = 10) -> list[str]:
        """Everything that is told until an assignment begins with `wanted`."""
        heard: list[str] = []
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(limit):
            while not any(line.startswith(wanted) for line in heard):
                heard += (await loop.sock_recv(self._listening, 4096)).decode().split("\n")
        return heard

    async def fall_silent(self, seconds: float) -> None:
        """Return when nothing has been told for so long; what was under way may still arrive."""
        async with asyncio.timeout(20):
            with contextlib.suppress(TimeoutError):
                while True:
                    await self.hear("", seconds)


@pytest.fixture
def manager(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield Manager(listening)


async def test_systemd_hears_from_ready_to_stopping(manager):
    async with Daemon(live=False, stream__start="offline", **SMALL) as daemon:
        first = await manager.hear("READY=1")
        assert first == ["READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1"]
        await daemon.set_live(True)
        await manager.hear("STATUS=live, 0 viewers")
        for _ in range(3):
            await manager.hear("WATCHDOG=1")
        assert await daemon.stop() == 0
        await manager.hear("STOPPING=1")
        assert "stuck" not in daemon.log


async def test_a_daemon_that_hangs_feeds_no_watchdog_and_says_where_it_hung(manager):
    async with Daemon(**SMALL) as daemon:
        await manager.hear("STATUS=live")
        daemon.signal(signal.SIGSTOP)
        await manager.fall_silent(0.6)
        # As systemd does when its watchdog has not been fed: SIGABRT, and SIGCONT so that it is heard.
        daemon.signal(signal.SIGABRT)
        daemon.signal(signal.SIGCONT)
        assert await asyncio.wait_for(daemon.process.wait(), 10) == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log
        assert "most recent call first" in daemon.log
