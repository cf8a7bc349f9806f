"""A WHIP server on pion in a process of its own; it is built from Debian's packages of Go and pion where they are."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import av

from tests.rigs.daemon import free_port

SOURCE = Path(__file__).parent / "pion" / "main.go"
PACKAGES = "golang-go golang-github-pion-webrtc.v3-dev"
_LIBRARY = Path("/usr/share/gocode/src/github.com/pion/webrtc")
_START_LIMIT = 10.0

_built = tempfile.TemporaryDirectory(prefix="pion-whip-")


def missing() -> str:
    """Return why there is no such server here; empty if there is."""
    if shutil.which("go") is None or not _LIBRARY.is_dir():
        return f"needs Debian's packages {PACKAGES}"
    return ""


@functools.cache
def build() -> Path:
    """Build the server, and return its path."""
    folder = Path(_built.name) / "src" / "pionwhip"
    folder.mkdir(parents=True)
    shutil.copy(SOURCE, folder)
    # With a go.mod, Go finds the import paths that end with /v3 in GOPATH, too.
    (folder / "go.mod").write_text("module pionwhip\n")
    environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": f"{_built.name}:/usr/share/gocode"}
    program = Path(_built.name) / "pionwhip"
    subprocess.run(["go", "build", "-o", program, "."], cwd=folder, env=environment, check=True)
    return program


class PionServer:
    """Runs the server with these flags; use it with `async with`. It can be killed and started again."""

    def __init__(self, *flags: str) -> None:
        self.port = free_port()
        self._flags = flags
        self._folder = tempfile.TemporaryDirectory(prefix="pion-video-")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"http://127.0.0.1:{self.port}/whip"

    async def __aenter__(self) -> PionServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        self._folder.cleanup()

    async def start(self) -> None:
        """Start the process, and wait until it listens."""
        program = await asyncio.to_thread(build)
        self._process = await asyncio.create_subprocess_exec(
            program, "-listen", f"127.0.0.1:{self.port}", "-folder", self._folder.name, *self._flags
        )
        async with asyncio.timeout(_START_LIMIT):
            while await self.sessions() is None:
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill the process, so that it says no farewell."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def sessions(self) -> list[dict[str, Any]] | None:
        """Return what each session has received; None if the server does not answer."""
        return await asyncio.to_thread(self._sessions)

    def _sessions(self) -> list[dict[str, Any]] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=2) as answer:
                return json.load(answer) or []
        except OSError:
            return None

    async def received(self, video: int = 60, audio: int = 30, limit: float = 20.0) -> dict[str, Any]:
        """Wait until the last session has received so many packets, and return it."""
        async with asyncio.timeout(limit):
            while True:
                sessions = await self.sessions()
                if sessions and sessions[-1]["Video"] >= video and sessions[-1]["Audio"] >= audio:
                    return sessions[-1]
                await asyncio.sleep(0.02)

    async def decoded(self, session: int = 0) -> int:
        """Return how many pictures of a session can be decoded."""
        return await asyncio.to_thread(_count_pictures, f"{self._folder.name}/{session}.h264")


def _count_pictures(file: str) -> int:
    with av.open(file, format="h264") as container:
        return sum(1 for _ in container.decode(video=0))
