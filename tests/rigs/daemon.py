"""The real daemon as a separate process, on a free port."""

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
"""Seconds within which the daemon must answer; generous, because test machines are shared."""


def free_port() -> int:
    """Return a TCP port that is free on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """`broadcaster run` with settings for tests; use it with `async with`, which kills it at the end.

    `environment` is added to that of this process. `script` runs in a shell that then executes the daemon.
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
        assignments: dict[str, object] = {"web.port": self.port, "video.source": "test", "audio.source": "test"}
        assignments["stream.state_dir"] = self._folder.name
        assignments |= {name.replace("__", "."): value for name, value in settings.items()}
        self._arguments = ["run", *(["--live"] if live else []), *arguments]
        for name, value in assignments.items():
            self._arguments += ["--set", f"{name}={value}"]
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        """The output so far; empty if it does not go to a regular file."""
        if not self._log.is_file():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def start(self) -> None:
        """Start the process, and wait until it answers."""
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
        """Send a signal, wait for the exit, and return the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 10)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    async def status(self) -> dict[str, object]:
        """Return the answer to `GET /api/status`."""
        return await asyncio.to_thread(self._request, "api/status", None)

    async def set_live(self, live: bool) -> dict[str, object]:
        """Return the answer to `POST /api/live`."""
        return await asyncio.to_thread(self._request, "api/live", {"live": live})

    async def __aenter__(self) -> Daemon:
        try:
            await self.start()
        except BaseException:
            await self._kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kill()

    async def _kill(self) -> None:
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
