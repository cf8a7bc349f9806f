"""Light viewers in a separate process, which can be stopped or killed, and whose counts this process does not delay.

`python -m tests.rigs.light_process PORT NUMBER [HOST]` connects NUMBER viewers, then prints a line of JSON for each
line on its standard input, until that ends. The line `reset` restarts the measurement of pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from tests.rigs.healthy import HealthyViewer
from tests.rigs.shaper import NEAR, Shaper
from tests.rigs.stalls import stalls


class LightProcess:
    """The process with these viewers; use it with `async with`, which waits until each has received a keyframe.

    With a `network`, the viewers are at the far end of its link.
    """

    def __init__(self, port: int, number: int = 1, network: Shaper | None = None) -> None:
        command = [sys.executable, "-m", "tests.rigs.light_process", str(port), str(number)]
        self._command = command if network is None else network.far.command(*command, NEAR)
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> LightProcess:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        await self.stats()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stats(self) -> dict[str, Any]:
        """Return packets, gaps, joining times and so on of all viewers so far.

        `longest_pause` is the longest of any viewer, `stalled` the longest time that the process did not run; both in
        seconds.
        """
        return await self._request("")

    async def reset_pauses(self) -> None:
        """Restart `longest_pause` and `stalled`."""
        await self._request("reset")

    async def _request(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command.encode() + b"\n")
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        stats: dict[str, Any] = json.loads(line)
        return stats


async def _main(port: int, number: int, *host: str) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with contextlib.AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(HealthyViewer(port, *host)) for _ in range(number)]
        joined = [await viewer.keyframe(30) for viewer in viewers]
        stalled = await stack.enter_async_context(stalls())
        while line := await reader.readline():
            if line == b"reset\n":
                stalled.reset()
                for viewer in viewers:
                    viewer.reset_pauses()
            stats = {
                "joined": joined,
                "packets": [viewer.packets for viewer in viewers],
                "gaps": sum(viewer.gaps for viewer in viewers),
                "longest_pause": max(viewer.longest_pause for viewer in viewers),
                "stalled": stalled.longest,
                "closed": [viewer.close_code for viewer in viewers],
            }
            print(json.dumps(stats), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
