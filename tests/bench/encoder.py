"""CPU time per picture of the test picture in software: drawing, scaling, libx264; and what the small rendition adds.

Pictures are produced as fast as possible, all variants in turn picture by picture, so that other load on the machine
affects all of them; ratios are those of a round. CPU time is that of all threads of the process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TypeVar

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.small import SCALING, SmallEncoder, SmallVideo
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit
from tests.bench.measurement import Options, Result, median

FULL, SMALL = (1280, 720), (640, 360)
BIT_RATES = {FULL: 2_500_000, SMALL: 400_000}
FPS = 30
KEYFRAME_INTERVAL = 2.0
ROUNDS = 15
PICTURES = 60
"""Pictures of each variant in a round: one keyframe interval, so that each contains the same keyframes."""

Value = TypeVar("Value")


async def measure(options: Options) -> list[Result]:
    """Measure the parts, and the small rendition as the test picture's source uses it; takes half a minute."""
    rounds = options.rounds or ROUNDS
    return [*_parts(rounds), *_renditions(rounds)]


class _Stopwatch:
    """Adds up the CPU time of named parts, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, function: Callable[..., Value], *arguments: object) -> Value:
        started = time.process_time()
        result = function(*arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started
        return result


def _parts(rounds: int) -> list[Result]:
    """Return the CPU time of each part, per picture."""
    patterns = {name: Pattern(*FULL, FPS, noise=name == "with noise") for name in ("plain", "with noise")}
    full, small, scaler = _encoder(FULL), _encoder(SMALL), Scaler(*SMALL, method=SCALING)
    costs: list[dict[str, float]] = []
    for start in range(0, rounds * PICTURES, PICTURES):
        watch = _Stopwatch()
        for number in range(start, start + PICTURES):
            watch.time("drawing with noise, 1280x720", patterns["with noise"].draw, number, number / FPS)
            picture = watch.time("drawing, 1280x720", patterns["plain"].draw, number, number / FPS)
            scaled = watch.time("scaling to 640x360", scaler.fit, picture)
            watch.time("libx264, 1280x720", full.encode, picture, number / FPS)
            watch.time("libx264, 640x360", small.encode, scaled, number / FPS)
        costs.append(watch.seconds)
    return [
        median(f"CPU per picture, {name}", [1000 * cost[name] / PICTURES for cost in costs], "ms", digits=2)
        for name in costs[0]
    ]


def _renditions(rounds: int) -> list[Result]:
    """Return the CPU time that the small rendition adds while it is on and while it is off."""
    sinks = {name: _Count() for name in ("none", "off", "on")}
    cards = {name: _Card(None if name == "none" else sink, on=name == "on") for name, sink in sinks.items()}
    added: dict[str, list[float]] = {"on": [], "off": []}
    for start in range(0, rounds * PICTURES, PICTURES):
        watches = {name: _Stopwatch() for name in cards}
        for number in range(start, start + PICTURES):
            for name, card in cards.items():
                card.produce(number, watches[name])
        without = watches["none"].seconds
        for name, shares in added.items():
            extra = sum(watches[name].seconds.values()) - sum(without.values())
            shares.append(extra / without["encode"])
    encoded = {name: sink.pictures for name, sink in sinks.items()}
    if encoded["on"] != rounds * PICTURES:
        raise AssertionError(f"small pictures: {encoded}")
    off = f"{encoded['off']} pictures encoded, {statistics.median(added['off']):+.2f} of the full rendition's encoder"
    return [
        median("added by the small rendition : full rendition's encoder", added["on"], "", "at most 0.40", digits=2),
        Result("added while nobody needs it", off, "none", failed=encoded["off"] > 0),
    ]


class _Card:
    """The test picture's source without its thread: as fast as possible, with capture times at `FPS`."""

    def __init__(self, sink: _Count | None, *, on: bool) -> None:
        self._pattern = Pattern(*FULL, FPS)
        self._encoder = _encoder(FULL)
        self._small: SmallEncoder | None = None
        if sink is not None:
            self._small = SmallVideo(SMALL, BIT_RATES[SMALL]).encoder(sink, *FULL, KEYFRAME_INTERVAL)
        if self._small:
            self._small.turn(on)

    def produce(self, number: int, watch: _Stopwatch) -> None:
        captured = number / FPS
        picture = watch.time("draw", self._pattern.draw, number, captured)
        if self._small:
            watch.time("scale", self._small.prepare, picture)
        watch.time("encode", self._encoder.encode, picture, captured)
        if self._small:
            watch.time("small", self._small.feed, picture, captured, FPS, 0.0, _call)


class _Count:
    """`ports.VideoSink` that counts."""

    def __init__(self) -> None:
        self.pictures = 0

    def picture(self, unit: AccessUnit) -> None:
        self.pictures += 1

    def failed(self, error: SourceError) -> None:
        raise error


def _encoder(size: tuple[int, int]) -> Encoder:
    width, height = size
    return Encoder(width=width, height=height, fps=FPS, bitrate=BIT_RATES[size], keyframe_interval=KEYFRAME_INTERVAL)


def _call(function: Callable[[Value], None], value: Value) -> None:
    function(value)
