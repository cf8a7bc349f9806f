"""A video source without camera or encoder: frames of a given number of packets at an exact rate.

Each packet's payload is a NAL unit of its own, so that our packetizer and aiortc's produce the same packets.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import VideoSink, VideoTraits

START_CODE = b"\x00\x00\x00\x01"
PARAMETER_SETS = (bytes.fromhex("6742c01fd9005005bb0110000003001000000303c0f1832480"), bytes.fromhex("68cb83cb20"))
SLICE, IDR = 0x61, 0x65
"""First bytes of NAL units: nal_ref_idc 3, and type 1 or 5 (H.264 table 7-1)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Packets per frame and payload bytes per packet; `keyframe_interval` is in frames, 0 means only on request."""

    packets: int = 10
    size: int = 1150
    fps: int = 30
    keyframe_packets: int = 10
    keyframe_interval: int = 0


CONSTANT = Shape()
"""For the comparison of engines: all frames have the same size (2.76 Mbit/s)."""

ENCODER = Shape(packets=9, size=1042, keyframe_packets=69, keyframe_interval=60)
"""Like an encoder at 2.5 Mbit/s: every 2 s a keyframe of eight times the ordinary size."""

CAMERA = Shape(packets=9, size=1042, keyframe_packets=90, keyframe_interval=60)
"""The same with keyframes as large as those of a camera's hardware encoder: ten times the ordinary size."""

SMALL = Shape(packets=3, size=1000, keyframe_packets=10, keyframe_interval=60)
"""A low bit rate that leaves CPU time for other work."""


class SyntheticSource:
    """`ports.VideoSource` that repeats two access units on a timer of the event loop.

    `keyframes_requested` holds monotonic times, `pictures` counts all that were delivered; `watch` is for senders other
    than the fan-out.
    """

    def __init__(self, shape: Shape) -> None:
        self.traits = VideoTraits("synthetic", "none (synthetic)", 1280, 720, shape.fps, True, False)
        self.keyframes_requested: list[float] = []
        self.pictures = 0
        self._shape = shape
        self._delta = _access_unit(SLICE, shape.packets, shape.size)
        self._keyframe = _access_unit(IDR, shape.keyframe_packets, shape.size, *PARAMETER_SETS)
        self._listeners: list[Callable[[AccessUnit], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._keyframe_due = True

    def watch(self, listener: Callable[[AccessUnit], None]) -> None:
        """Call `listener` with every access unit."""
        self._listeners.append(listener)

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()

        def deliver(index: int) -> None:
            self._timer = loop.call_at(start + (index + 1) / self._shape.fps, deliver, index + 1)
            self._deliver(sink, index)

        deliver(0)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        self.keyframes_requested.append(time.monotonic())
        self._keyframe_due = True

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        raise AssertionError("traits.can_set_bitrate is false")

    def encode_small(self, on: bool) -> None:
        raise AssertionError("traits.small_size is None")

    def _deliver(self, sink: VideoSink, index: int) -> None:
        interval = self._shape.keyframe_interval
        keyframe = self._keyframe_due or (interval > 0 and index % interval == 0)
        self._keyframe_due = False
        self.pictures += 1
        unit = AccessUnit(self._keyframe if keyframe else self._delta, time.monotonic(), keyframe)
        sink.picture(unit)
        for listener in self._listeners:
            listener(unit)


def _access_unit(first_byte: int, packets: int, size: int, *prefix: bytes) -> bytes:
    """Build NAL units of random bytes that contain no start code."""
    noise = random.Random(packets)
    slices = [bytes([first_byte, *noise.choices(range(1, 256), k=size - 1)]) for _ in range(packets)]
    return b"".join(START_CODE + nal for nal in (*prefix, *slices))
