"""Tools for tests of files with unusual timelines: generated videos, played with a clock that only waiting advances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.timeline import START_DELAY
from broadcaster.devices.file.video import FileVideo
from broadcaster.model.stream import AccessUnit
from tests.edges.devices_rig import HEIGHT, WIDTH, decoded

TICKS = Fraction(1, 1000)


STILLS = {
    ".png": ("png", "rgb24"),
    ".jpg": ("mjpeg", "yuvj420p"),
    ".gif": ("gif", "rgb8"),
    ".mp4": ("libx264", "yuv420p"),
    ".bmp": ("bmp", "bgr24"),
}
"""Codec and pixel format of a still picture, by file suffix."""


class ManualClock:
    """A clock that stands still unless advanced."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now


class SimulatedThread:
    """Replaces the source's thread: pauses advance the clock, and it is closed after `seconds`."""

    def __init__(self, clock: ManualClock, seconds: float, on_item: Callable[[AccessUnit], None] | None) -> None:
        self._clock = clock
        self._end = clock.now + seconds
        self._on_item = on_item
        self.items: list[AccessUnit] = []

    def pause(self, seconds: float) -> bool:
        self._clock.now += max(0.0, seconds)
        return self._clock.now < self._end

    def call(self, function: Callable[[Any], None], value: object) -> None:
        function(value)

    def deliver(self, item: AccessUnit) -> None:
        self.items.append(item)
        if self._on_item:
            self._on_item(item)


class Playback:
    """The video of a file played for `seconds`; `on_item` is called for each access unit."""

    def __init__(
        self,
        path: str | Path,
        seconds: float,
        on_item: Callable[[AccessUnit], None] | None = None,
        *,
        clock: ManualClock | None = None,
        bitrate: int = 400_000,
        size: tuple[int, int] = (WIDTH, HEIGHT),
    ) -> None:
        self.clock = clock or ManualClock()
        self.file = MediaFile(str(path))
        self.video = FileVideo(
            self.clock, self.file, width=size[0], height=size[1], fps=30, bitrate=bitrate, keyframe_interval=1.0
        )
        thread: Any = SimulatedThread(self.clock, seconds + START_DELAY, on_item)
        self.origin = self.clock.now + START_DELAY
        self.video._run(thread)
        self.units: list[AccessUnit] = thread.items

    @property
    def times(self) -> list[float]:
        """Seconds from the start of playback to each picture."""
        return [round(unit.captured - self.origin, 3) for unit in self.units]

    @property
    def steps(self) -> list[float]:
        """Seconds between successive pictures."""
        return [round(after - before, 3) for before, after in pairwise(self.times)]

    @property
    def timeline_shift(self) -> float:
        """Seconds by which the timeline has been moved."""
        return self.file.timeline.due(0.0) - self.origin

    def numbers(self) -> list[int]:
        """Return the numbers of the pictures of a video made of `numbered` ones."""
        return [number_of(picture) for picture in decoded(self.units)]


def number_of(picture: av.VideoFrame) -> int:
    """Return the number that a picture shows as eight bars, black or white."""
    plane = picture.planes[0]
    row = bytes(plane)[picture.height // 2 * plane.line_size :][: picture.width]
    return sum((row[(2 * bit + 1) * picture.width // 16] > 128) << bit for bit in range(8))


def numbered(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> av.VideoFrame:
    """Return a picture that shows a number from 0 to 255."""
    width, height = size
    picture = av.VideoFrame(width, height, "yuv420p")
    row = bytes([220 if number >> (x * 8 // width) & 1 else 30 for x in range(width)])
    picture.planes[0].update(row.ljust(picture.planes[0].line_size, b"\0") * height)
    for plane in picture.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return picture


def write_video(
    path: Path,
    times: Iterable[float],
    *,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
    format: str | None = None,
    last: float | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Path:
    """Write a video whose pictures, numbered from 0, are shown at `times` in seconds, the last one for `last`."""
    times = list(times)
    with av.open(str(path), "w", format=format) as container:
        stream = container.add_stream(
            codec, rate=25, options={"profile": "high", "preset": "ultrafast"} if options is None else options
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = TICKS
        for number, time in enumerate(times):
            picture = numbered(number % 256, size)
            picture.pts, picture.time_base = round(time / TICKS), TICKS
            container.mux(_set_duration(stream.encode(picture), last, number == len(times) - 1))
        container.mux(_set_duration(stream.encode(None), last, True))
    return path


def changes(playback: Playback) -> list[tuple[int, float]]:
    """Return the numbers of the pictures without repetitions, and when each is shown first."""
    numbers = playback.numbers()
    shown = zip([-1, *numbers], numbers, playback.times, strict=False)
    return [(number, time) for previous, number, time in shown if number != previous]


def write_still(path: Path, number: int) -> Path:
    """Write a file with a single picture, in the format of its suffix."""
    codec, pixels = STILLS[path.suffix]
    image = path.suffix in (".png", ".jpg", ".bmp")
    with av.open(str(path), "w", format="image2" if image else None) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        container.mux(stream.encode(numbered(number).reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


def _set_duration(packets: list[Any], last: float | None, is_last: bool) -> list[Any]:
    for packet in packets:
        if is_last and last is not None:
            packet.duration = round(last / packet.time_base)
    return packets


def remux(source: Path, target: Path, change: Callable[[Any], bool], options: dict[str, str] | None = None) -> Path:
    """Copy the packets of a file to another, modified by `change`, which returns whether to keep the packet."""
    with av.open(str(source)) as original, av.open(str(target), "w", options=options or {}) as container:
        streams = {stream.index: container.add_stream_from_template(stream) for stream in original.streams}
        for packet in original.demux():
            if packet.size and change(packet):
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return target
