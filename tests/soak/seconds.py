"""What the processes of the soak test have in common: they report each second, as lines of JSON, until stdin ends."""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from collections.abc import AsyncIterator

TICK = 0.1
UNSCHEDULED = 0.5
"""Delay of a tick in seconds that means that the process did not run."""


def print_json(**line: object) -> None:
    """Report something."""
    print(json.dumps(line), flush=True)


async def ticks() -> AsyncIterator[list[int]]:
    """Yield at each tick the seconds of the monotonic clock that have passed since the last one, mostly none.

    Reports when the process did not run.
    """
    reported, last = math.floor(time.monotonic()), time.monotonic()
    while True:
        await asyncio.sleep(TICK)
        now = time.monotonic()
        if now - last > TICK + UNSCHEDULED:
            print_json(unscheduled=[last, now])
        last = now
        passed = list(range(reported, math.floor(now - TICK)))
        reported += len(passed)
        yield passed


async def commands() -> asyncio.StreamReader:
    """Return standard input, and report that the process is ready."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print_json(ready=time.monotonic())
    return reader
