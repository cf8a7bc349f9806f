"""Starts an engine process (`tests.bench.engine`) and calls its methods."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tests.bench.synthetic_source import Shape
from tests.rigs.process import Footprint, footprint

Kind = Literal["ours", "aiortc"]
_LONGEST_LINE = 1 << 24
"""In bytes: one line may hold the lags of a minute."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of an engine; `cpu` and `now` in seconds, the rest are counts."""

    cpu: float
    now: float
    connected: int
    watching: int
    packets: int
    errors: int
    peers: int
    tasks: int
    slow: int
    keyframes_requested: list[float]


@dataclass(frozen=True, slots=True)
class Window:
    """Two snapshots and the lags between them, in ms; no lags unless the engine was started with `lag`.

    `joining` are the lags before: while the viewers joined, and settled.
    """

    begin: Snapshot
    end: Snapshot
    lags: list[float]
    joining: list[float]

    @property
    def packets(self) -> int:
        return self.end.packets - self.begin.packets

    @property
    def microseconds(self) -> float:
        """CPU time of the whole process per packet and viewer."""
        return (self.end.cpu - self.begin.cpu) / self.packets * 1e6

    @property
    def cpu_percent(self) -> float:
        """CPU load in percent of one core."""
        return (self.end.cpu - self.begin.cpu) / (self.end.now - self.begin.now) * 100


class EngineProcess:
    """An engine process; use it with `async with`."""

    def __init__(self, kind: Kind, shape: Shape, *, lag: bool = False) -> None:
        self.port = 0
        self._arguments = ["-m", "tests.bench.engine", kind, json.dumps(asdict(shape)), *(["lag"] if lag else [])]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> EngineProcess:
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
        """The current memory, descriptors and threads of the process."""
        return footprint(self._process.pid)

    async def snapshot(self) -> Snapshot:
        """Return the current state."""
        return Snapshot(**await self._call("snapshot"))

    async def lags(self) -> list[float]:
        """Return the event loop's lags since the last call, in ms."""
        lags: list[float] = await self._call("lags")
        return lags

    async def shares(self) -> list[float]:
        """Return for each viewer the fraction of the pictures that it was sent, from 3 s after its join on."""
        shares: list[float] = await self._call("shares")
        return shares

    async def pauses(self) -> list[tuple[int, float]]:
        """Return generation and duration (ms) of each garbage collection since the last call."""
        return [(generation, pause) for generation, pause in await self._call("pauses")]

    async def garbage(self) -> int:
        """Run a full collection; return the number of objects that only the collector could free."""
        return int(await self._call("garbage"))

    async def until(self, condition: Callable[[Snapshot], bool], limit: float) -> Snapshot:
        """Poll until `condition` holds. Raises `TimeoutError` with the last state."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        while not condition(snapshot := await self.snapshot()):
            if loop.time() > deadline:
                raise TimeoutError(f"after {limit:g} s: {snapshot.connected} connected, {snapshot.watching} watching")
            await asyncio.sleep(0.05)
        return snapshot

    async def window(self, viewers: int, settle: float, seconds: float) -> Window:
        """Wait until `viewers` watch and for `settle` seconds, then measure; all must be connected until the end."""
        await self.until(lambda snapshot: snapshot.watching >= viewers, 30)
        await asyncio.sleep(settle)
        joining = await self.lags()
        begin = await self.snapshot()
        await asyncio.sleep(seconds)
        window = Window(begin, await self.snapshot(), await self.lags(), joining)
        if {begin.connected, window.end.connected} != {viewers}:
            raise AssertionError(f"{begin.connected} viewers, then {window.end.connected}, instead of {viewers}")
        return window

    async def profile(self, seconds: float) -> str:
        """Profile the process for `seconds`; return a table of the most expensive functions."""
        await self._call("profile")
        await asyncio.sleep(seconds)
        table: str = (await self._call("profile"))["table"]
        return table

    async def _call(self, method: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{method}\n".encode())
        return await self._read(10)

    async def _read(self, limit: float) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), limit)
        if not line:
            raise AssertionError("the engine process has exited; see its output above")
        return json.loads(line)
