"""The measuring side's grip on an engine process (`tests.bench.engine`)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tests.bench.pictures import Shape
from tests.rigs.process import Footprint, footprint

Kind = Literal["ours", "aiortc"]
_LONGEST_LINE = 1 << 24
"""Bytes: a minute's lags are in one line."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What an engine tells of itself; `cpu` and `now` in seconds, the rest are numbers."""

    cpu: float
    now: float
    connected: int
    watching: int
    packets: int
    errors: int
    peers: int
    tasks: int
    keyframes_requested: list[float]


@dataclass(frozen=True, slots=True)
class Window:
    """Two moments and what lies between them; `lags` in ms, empty when they were not asked for."""

    begin: Moment
    end: Moment
    lags: list[float]

    @property
    def packets(self) -> int:
        return self.end.packets - self.begin.packets

    @property
    def microseconds(self) -> float:
        """CPU time of the whole process for a packet and viewer."""
        return (self.end.cpu - self.begin.cpu) / self.packets * 1e6

    @property
    def cpu_percent(self) -> float:
        """Of one core."""
        return (self.end.cpu - self.begin.cpu) / (self.end.now - self.begin.now) * 100


class Measured:
    """Starts the process; use it with `async with`."""

    def __init__(self, kind: Kind, shape: Shape, *, lag: bool = False) -> None:
        self.port = 0
        self._arguments = ["-m", "tests.bench.engine", kind, json.dumps(asdict(shape)), *(["lag"] if lag else [])]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Measured:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, *self._arguments, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE
        )
        self.port = (await self._read(20))["port"]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def footprint(self) -> Footprint:
        """What the process holds now."""
        return footprint(self._process.pid)

    async def moment(self) -> Moment:
        """Look at it now."""
        return Moment(**await self._ask("figures"))

    async def lags(self) -> list[float]:
        """How late its loop was, in ms, since the last time."""
        lags: list[float] = await self._ask("lags")
        return lags

    async def pauses(self) -> list[tuple[int, float]]:
        """Each garbage collection since the last time: its generation, and how many ms it took."""
        return [(generation, pause) for generation, pause in await self._ask("pauses")]

    async def garbage(self) -> int:
        """Collect everything now; how many objects only the collector could free."""
        return int(await self._ask("garbage"))

    async def until(self, condition: Callable[[Moment], bool], limit: float) -> Moment:
        """Look at it until that holds. Raises `TimeoutError` with what was seen last."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while not condition(moment := await self.moment()):
            if loop.time() > deadline:
                raise TimeoutError(f"after {limit:g} s: {moment.connected} connected, {moment.watching} watching")
            await asyncio.sleep(0.05)
        return moment

    async def window(self, viewers: int, settle: float, seconds: float) -> Window:
        """Wait until so many watch, let things settle, and measure; all must still be there at the end."""
        await self.until(lambda moment: moment.watching >= viewers, 30)
        await asyncio.sleep(settle)
        await self.lags()
        begin = await self.moment()
        await asyncio.sleep(seconds)
        window = Window(begin, await self.moment(), await self.lags())
        if {begin.connected, window.end.connected} != {viewers}:
            raise AssertionError(f"{begin.connected} viewers, then {window.end.connected}, instead of {viewers}")
        return window

    async def profile(self, seconds: float) -> str:
        """Profile it for so long; the functions that took most."""
        await self._ask("profile")
        await asyncio.sleep(seconds)
        table: str = (await self._ask("profile"))["table"]
        return table

    async def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n".encode())
        return await self._read(10)

    async def _read(self, limit: float) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), limit)
        if not line:
            raise AssertionError("the engine has ended; what it wrote stands above")
        return json.loads(line)
