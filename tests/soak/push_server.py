"""A media server in a process of its own, to which the daemon pushes the stream (WHIP).

`python -m tests.soak.push_server PORT` counts the pictures that it decodes, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter

from tests.rigs.whip_server import WhipServer
from tests.soak.seconds import commands, print_json, ticks


async def _report(server: WhipServer) -> None:
    seconds: Counter[int] = Counter()
    counted = 0
    async for passed in ticks():
        frames = sum(publication.frames for publication in server.publications)
        seconds[math.floor(time.monotonic())] += frames - counted
        counted = frames
        for second in passed:
            print_json(second=second, frames=seconds.pop(second, 0))


async def _main(port: int) -> None:
    async with WhipServer(port) as server:
        reader = await commands()
        reporting = asyncio.create_task(_report(server))
        await reader.read()
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
