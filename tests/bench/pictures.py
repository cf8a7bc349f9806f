"""A video source without a camera or an encoder: pictures of a given number of packets, at an exact rate.

Each packet's payload is a NAL unit of its own, so our packetizer and aiortc's make the same packets of a picture.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.model.stream import AccessUnit
from broadcaster.ports import VideoSink, VideoTraits

START_CODE = b"\x00\x00\x00\x01"
PARAMETER_SETS = (bytes.fromhex("6742c01fd9005005bb0110000003001000000303c0f1832480"), bytes.fromhex("68cb83cb20"))
SLICE, IDR = 0x61, 0x65
"""First bytes of NAL units: reference, and type 1 or 5 (H.264 table 7-1)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Packets and payload bytes of a picture; `keyframe_every` is in pictures, 0: only when asked for."""

    packets: int = 10
    size: int = 1150
    fps: int = 30
    keyframe_packets: int = 10
    keyframe_every: int = 0


EVEN = Shape()
"""What engines are compared with: every picture the same (2.76 Mbit/s)."""

ENCODER = Shape(packets=9, size=1042, keyframe_packets=69, keyframe_every=60)
"""What an encoder at 2.5 Mbit/s makes: every 2 s a keyframe of eight pictures' size."""

CAMERA = Shape(packets=9, size=1042, keyframe_packets=90, keyframe_every=60)
"""The same, with keyframes as large as those of a camera's hardware encoder: ten pictures' size."""

SMALL = Shape(packets=3, size=1000, keyframe_packets=10, keyframe_every=60)
"""What leaves time for other things."""


class SyntheticSource:
    """`ports.VideoSource` that repeats two access units, on a timer of the loop.

    `keyframes_requested` are monotonic times; `watch` is for engines that do not take pictures from the fan-out.
    """

    def __init__(self, shape: Shape) -> None:
        self.traits = VideoTraits("synthetic", "none (synthetic)", 1280, 720, shape.fps, True, False)
        self.keyframes_requested: list[float] = []
        self._shape = shape
        self._picture = _access_unit(SLICE, shape.packets, shape.size)
        self._keyframe = _access_unit(IDR, shape.keyframe_packets, shape.size, *PARAMETER_SETS)
        self._listeners: list[Callable[[AccessUnit], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = True

    def watch(self, listener: Callable[[AccessUnit], None]) -> None:
        """Call `listener` with every picture."""
        self._listeners.append(listener)

    async def open(self, sink: VideoSink) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()

        def deliver(index: int) -> None:
            self._timer = loop.call_at(start + (index + 1) / self._shape.fps, deliver, index + 1)
            self._deliver(sink, index)

        deliver(0)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def request_keyframe(self) -> None:
        self.keyframes_requested.append(time.monotonic())
        self._is_due = True

    def set_bitrate(self, bits_per_second: int) -> None:
        raise AssertionError("traits.can_set_bitrate is false")

    def _deliver(self, sink: VideoSink, index: int) -> None:
        every = self._shape.keyframe_every
        keyframe = self._is_due or (every > 0 and index % every == 0)
        self._is_due = False
        unit = AccessUnit(self._keyframe if keyframe else self._picture, time.monotonic(), keyframe)
        sink.picture(unit)
        for listener in self._listeners:
            listener(unit)


def _access_unit(kind: int, packets: int, size: int, *before: bytes) -> bytes:
    """NAL units of noise that holds no start code."""
    noise = random.Random(packets)
    slices = [bytes([kind, *noise.choices(range(1, 256), k=size - 1)]) for _ in range(packets)]
    return b"".join(START_CODE + nal for nal in (*before, *slices))
