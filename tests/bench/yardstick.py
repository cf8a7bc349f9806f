"""Two optional programs based on pion, the WebRTC library of the Go media servers.

The environment variable `BROADCASTER_YARDSTICK` names their folder: `viewers` are light viewers that need little CPU
time, `peer` is a sender for comparison.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.bench.synthetic_source import Shape
from tests.rigs.daemon import free_port

VARIABLE = "BROADCASTER_YARDSTICK"
MISSING = f"not measured: needs the yardstick programs; set {VARIABLE} to their folder"


def program(name: str) -> Path | None:
    """Return the path of the program; None if it is not there."""
    folder = os.environ.get(VARIABLE)
    path = Path(folder, name) if folder else None
    return path if path is not None and os.access(path, os.X_OK) else None


def is_built() -> bool:
    """Whether both programs exist."""
    return program("peer") is not None and program("viewers") is not None


class Program:
    """A program that prints one line of JSON and exits by itself; use it with `async with`."""

    def __init__(self, name: str, *, niceness: int = 0, **flags: object) -> None:
        self._arguments = [
            "nice",
            "-n",
            str(niceness),
            str(program(name)),
            *(f"-{flag}={value}" for flag, value in flags.items()),
        ]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Program:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._arguments, stdout=pipe)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def result(self) -> dict[str, Any]:
        """Wait until the program exits, and return its result."""
        output, _ = await self._process.communicate()
        result: dict[str, Any] = json.loads(output)
        return result


class PionPeer(Program):
    """The sender for comparison: sends for `seconds` once all viewers have joined, and reports its CPU time."""

    def __init__(self, viewers: int, seconds: int, shape: Shape) -> None:
        self._port = free_port()
        super().__init__(
            "peer",
            listen=f"127.0.0.1:{self._port}",
            viewers=viewers,
            seconds=seconds,
            fps=shape.fps,
            packets=shape.packets,
            size=shape.size,
        )

    @property
    def url(self) -> str:
        """The URL for its viewers."""
        return f"http://127.0.0.1:{self._port}/whep"

    async def __aenter__(self) -> PionPeer:
        await super().__aenter__()
        async with asyncio.timeout(5):
            while not await self._listens():
                await asyncio.sleep(0.05)
        return self

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        return True
