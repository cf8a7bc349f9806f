"""Two programs on pion, the engine of the Go media servers, where somebody has built them.

The environment variable `BROADCASTER_YARDSTICK` names their folder: `viewers` are light viewers that cost little,
`peer` is a sender to compare with.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.bench.pictures import Shape
from tests.rigs.daemon import free_port

VARIABLE = "BROADCASTER_YARDSTICK"
MISSING = f"not measured: needs the yardstick's programs, {VARIABLE} names their folder"


def program(name: str) -> Path | None:
    """Where that program is, if there is one."""
    folder = os.environ.get(VARIABLE)
    path = Path(folder, name) if folder else None
    return path if path is not None and os.access(path, os.X_OK) else None


def is_built() -> bool:
    """Whether both programs are there."""
    return program("peer") is not None and program("viewers") is not None


class Program:
    """A program that ends by itself and then prints one line of JSON; use it with `async with`."""

    def __init__(self, name: str, **flags: object) -> None:
        self._arguments = [str(program(name)), *(f"-{flag}={value}" for flag, value in flags.items())]
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
        """Wait for its end."""
        output, _ = await self._process.communicate()
        result: dict[str, Any] = json.loads(output)
        return result


class PionPeer(Program):
    """The sender to compare with: sends for so many seconds once all viewers are there, and prints its cost."""

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
        """Where its viewers go."""
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
