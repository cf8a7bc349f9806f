"""The daemon as a systemd service: its notifications, and its log after the watchdog has aborted it."""

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

    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    async def receive(self, prefix: str, limit: float = 10) -> list[str]:
        """Receive until an assignment starts with `prefix`; return all assignments."""
        received: list[str] = []
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(limit):
            while not any(line.startswith(prefix) for line in received):
                received += (await loop.sock_recv(self._receiver, 4096)).decode().split("\n")
        return received

    async def wait_for_silence(self, seconds: float) -> None:
        """Wait until nothing has been received for `seconds`; datagrams sent before may still arrive."""
        async with asyncio.timeout(20):
            with contextlib.suppress(TimeoutError):
                while True:
                    await self.receive("", seconds)


@pytest.fixture
def manager(tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.setblocking(False)
        receiver.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield Manager(receiver)


async def test_notifications_from_ready_to_stopping(manager):
    async with Daemon(live=False, stream__start="offline", **SMALL) as daemon:
        first = await manager.receive("READY=1")
        assert first == ["READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1"]
        await daemon.set_live(True)
        await manager.receive("STATUS=live, 0 viewers")
        for _ in range(3):
            await manager.receive("WATCHDOG=1")
        assert await daemon.stop() == 0
        await manager.receive("STOPPING=1")
        assert "stuck" not in daemon.log


async def test_hung_daemon_sends_no_keep_alive_and_logs_its_stack_when_aborted(manager):
    async with Daemon(**SMALL) as daemon:
        await manager.receive("STATUS=live")
        daemon.signal(signal.SIGSTOP)
        await manager.wait_for_silence(0.6)
        # As systemd does when its watchdog expires: SIGABRT, and SIGCONT so that the signal is delivered.
        daemon.signal(signal.SIGABRT)
        daemon.signal(signal.SIGCONT)
        assert await asyncio.wait_for(daemon.process.wait(), 10) == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in daemon.log
        assert "most recent call first" in daemon.log
