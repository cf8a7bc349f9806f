"""Light viewers of an engine, in processes of their own: the yardstick's where it is built, else our Python ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from tests.bench import yardstick
from tests.rigs.light_process import LightProcess
from tests.rigs.process import overflows


@dataclass(frozen=True, slots=True)
class Seen:
    """What all viewers of a crowd saw; `least` are the packets of the one that got fewest, times are in ms.

    `overflows` are packets that the kernel dropped meanwhile at full sockets of any receiver on the machine: when
    the viewers get too little of the processor, they have gaps that are not the sender's fault.
    """

    packets: int
    least: int
    gaps: int
    overflows: int
    keyframe_p50: float
    keyframe_p95: float
    failures: dict[str, int]

    @property
    def missing(self) -> str:
        """The gaps, in words."""
        said = f"{self.gaps} in {self.packets} packets"
        said += f" ({self.overflows} dropped at full sockets of receivers)" if self.overflows else ""
        return said + (f", failures {self.failures}" if self.failures else "")


class Crowd(Protocol):
    """Use it with `async with`; they begin to join at once."""

    async def __aenter__(self) -> Crowd: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def seen(self) -> Seen:
        """What they saw until they left."""


def crowd(port: int, number: int, seconds: float, every: float = 0.01) -> Crowd:
    """So many viewers of the engine on that port, who stay `seconds` after the last join; `every` is between two."""
    if yardstick.program("viewers") is None:
        return PythonCrowd(port, number)
    return PionCrowd(number, seconds, every, ws=f"ws://127.0.0.1:{port}/ws")


class PionCrowd(yardstick.Program):
    """The yardstick's viewers; give them `ws`, or `whep` for its own sender."""

    def __init__(self, number: int, seconds: float, every: float = 0.01, **where: str) -> None:
        super().__init__("viewers", n=number, seconds=math.ceil(seconds), every=f"{every * 1000:g}ms", **where)

    async def __aenter__(self) -> PionCrowd:
        self._overflows = overflows()
        await super().__aenter__()
        return self

    async def seen(self) -> Seen:
        result = await self.result()
        times, packets = result["first_keyframe_ms"], result["packets"].get("video", 0)
        dropped = overflows() - self._overflows
        least, gaps, failures = result["least_video_packets"], result["gaps"], result["failures"]
        return Seen(packets, least, gaps, dropped, times["p50"], times["p95"], failures)


class PythonCrowd(LightProcess):
    """Our own, which stay until they are asked."""

    async def __aenter__(self) -> PythonCrowd:
        self._overflows = overflows()
        await super().__aenter__()
        return self

    async def seen(self) -> Seen:
        dropped = overflows() - self._overflows
        figures = await self.figures()
        packets: list[int] = figures["packets"]
        times = sorted(1000 * seconds for seconds in figures["joined"])
        middle, high = times[len(times) // 2], times[-1 - len(times) // 20]
        return Seen(sum(packets), min(packets), figures["gaps"], dropped, middle, high, {})
