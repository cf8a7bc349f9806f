"""The real daemon as a process of its own, on a free port of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]

START_LIMIT = 20.0
"""Seconds until the page must answer; generous, because test machines are shared."""


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """`broadcaster run` with settings for tests; use it with `async with`.

    Leaving kills it if it still runs. `log` is what it has written so far, `environment` is added to ours, `script`
    is what a shell does before it becomes the daemon.
    """

    module = "broadcaster"

    def __init__(
        self, *arguments: str, live: bool = True, port: int | None = None, log_to: str = "", **settings: object
    ) -> None:
        self.port = port or free_port()
        self.environment = {"PYTHONPATH": str(ROOT)}
        self.script = "true"
        self.in_new_session = False
        self._folder = tempfile.TemporaryDirectory(prefix="broadcaster-test-")
        self._log = Path(log_to or f"{self._folder.name}/log")
        chosen = {"web.port": self.port, "video.source": "test", "audio.source": "test"}
        chosen["stream.state_dir"] = self._folder.name
        chosen |= {name.replace("__", "."): value for name, value in settings.items()}
        self._arguments = ["run", *(["--live"] if live else []), *arguments]
        for name, value in chosen.items():
            self._arguments += ["--set", f"{name}={value}"]
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it has written, where that can be read."""
        if not self._log.is_file():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *("sh", "-c", f'{self.script}; exec "$@"', "sh", sys.executable, "-m", self.module, *self._arguments),
                stdout=log,
                stderr=log,
                cwd=self._folder.name,
                env=os.environ | self.environment,
                start_new_session=self.in_new_session,
            )
        deadline = asyncio.get_running_loop().time() + START_LIMIT
        while not await asyncio.to_thread(self._answers):
            if self.process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"the daemon does not answer:\n{self.log}")
            await asyncio.sleep(0.05)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 10)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    async def status(self) -> dict[str, object]:
        """`GET /api/status`."""
        return await asyncio.to_thread(self._request, "api/status", None)

    async def set_live(self, live: bool) -> dict[str, object]:
        """`POST /api/live`."""
        return await asyncio.to_thread(self._request, "api/live", {"live": live})

    async def __aenter__(self) -> Daemon:
        try:
            await self.start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self._folder.cleanup()

    def _answers(self) -> bool:
        try:
            self._request("api/status", None)
        except OSError:
            return False
        return True

    def _request(self, path: str, body: object) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)
