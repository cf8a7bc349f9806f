"""Light viewers in a process of their own, so that they can be stopped, killed or left to count in peace.

`python -m tests.rigs.light_process PORT NUMBER` joins that many, then prints a line of JSON for each line on its
standard input, until that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from tests.rigs.light import LightViewer


class LightProcess:
    """Starts the process and waits until all have a keyframe; use it with `async with`."""

    def __init__(self, port: int, number: int = 1) -> None:
        self._arguments = ["-m", "tests.rigs.light_process", str(port), str(number)]
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> LightProcess:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(sys.executable, *self._arguments, stdin=pipe, stdout=pipe)
        await self.figures()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def figures(self) -> dict[str, Any]:
        """Packets, gaps, joining times and so on of all viewers so far."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        figures: dict[str, Any] = json.loads(line)
        return figures


async def _main(port: int, number: int) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with contextlib.AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(LightViewer(port)) for _ in range(number)]
        joined = [await viewer.keyframe(30) for viewer in viewers]
        while await reader.readline():
            figures = {
                "joined": joined,
                "packets": [viewer.packets for viewer in viewers],
                "gaps": sum(viewer.gaps for viewer in viewers),
                "closed": [viewer.close_code for viewer in viewers],
            }
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
