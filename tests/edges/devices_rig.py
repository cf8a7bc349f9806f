"""Tools for tests of sources: a sink that records, and generated media files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.filter import Graph
from av.video.frame import PictureType

from broadcaster.devices.opus import RATE
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import AudioSource, VideoSource

WIDTH, HEIGHT, FPS = 320, 180, 25
BASELINE = {"profile": "baseline", "preset": "ultrafast", "g": "25"}


class Sink:
    """Records everything that a source delivers."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.errors: list[SourceError] = []
        self._changed = asyncio.Event()

    def picture(self, unit: AccessUnit) -> None:
        self.items.append(unit)
        self._changed.set()

    def frame(self, frame: OpusFrame) -> None:
        self.items.append(frame)
        self._changed.set()

    def failed(self, error: SourceError) -> None:
        self.errors.append(error)
        self._changed.set()

    async def until(self, count: int, limit: float = 10.0) -> list[Any]:
        """Wait for `count` items in total and return all; fails if the source does."""
        async with asyncio.timeout(limit):
            while len(self.items) < count and not self.errors:
                self._changed.clear()
                await self._changed.wait()
        assert not self.errors
        return self.items

    async def failure(self, limit: float = 5.0) -> SourceError:
        """Wait for the source to fail and return its error."""
        async with asyncio.timeout(limit):
            while not self.errors:
                self._changed.clear()
                await self._changed.wait()
        return self.errors[0]


@contextlib.asynccontextmanager
async def opened(source: VideoSource | AudioSource) -> AsyncIterator[Sink]:
    """Open the source into a `Sink`, and close it at the end."""
    sink = Sink()
    await source.open(sink)
    try:
        yield sink
    finally:
        await source.close()


def times(items: list[Any]) -> list[float]:
    """Return the capture times."""
    return [item.captured for item in items]


def steps(items: list[Any]) -> list[float]:
    """Return the seconds between successive items."""
    return [after - before for before, after in pairwise(times(items))]


def decoded(units: list[AccessUnit]) -> list[av.VideoFrame]:
    """Return the decoded pictures, one per access unit."""
    decoder = av.CodecContext.create("h264", "r")
    return [frame for unit in units for frame in decoder.decode(av.Packet(unit.data))]


def peak_levels(frames: list[OpusFrame]) -> list[float]:
    """Return the peak amplitude of each Opus frame, 1.0 being full scale."""
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = RATE
    pcm = [decoder.decode(av.Packet(frame.data))[0] for frame in frames]
    return [max(map(abs, memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples])) for frame in pcm]


def pictures(count: int, width: int = WIDTH, height: int = HEIGHT) -> Iterator[av.VideoFrame]:
    """Yield moving pictures."""
    graph = Graph()
    graph.link_nodes(graph.add("testsrc2", f"size={width}x{height}:rate={FPS}"), graph.add("buffersink")).configure()
    for _ in range(count):
        picture = graph.vpull()
        picture.pict_type = PictureType.NONE  # the filter sets I, which would make each picture a keyframe
        yield picture


def make_file(
    path: Path,
    *,
    video: str | None = "libx264",
    audio: str | None = None,
    seconds: float = 1.0,
    audio_seconds: float | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: dict[str, str] | None = None,
    rotation: int = 0,
    left_only: bool = False,
) -> str:
    """Write a media file of moving pictures and a tone (`left_only` for planar formats, as AAC's); return its path."""
    with av.open(str(path), "w") as container:
        streams = []
        if video:
            stream = container.add_stream(video, rate=FPS, options=BASELINE if options is None else options)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if rotation:
                stream.set_display_rotation(rotation)
            streams.append((stream, pictures(round(seconds * FPS), *size)))
        if audio:
            # Libav's own Vorbis encoder counts as experimental.
            audio_stream = container.add_stream(
                audio, rate=48000 if "opus" in audio else 44100, options={"strict": "experimental"}
            )
            streams.append((audio_stream, tone(audio_stream, audio_seconds or seconds, left_only=left_only)))
        for stream, frames in streams:
            for frame in frames:
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return str(path)


def tone(stream: av.AudioStream, seconds: float, *, left_only: bool = False) -> Iterator[av.AudioFrame]:
    """Yield frames of a loud square wave in the stream's format."""
    size = stream.codec_context.frame_size or 1024
    width = stream.format.bytes
    # An eighth of full scale and its negative, as integer or float; 24 samples each.
    high, low = {2: (b"\x00\x10", b"\x00\xf0"), 4: (b"\x00\x00\x00\x3e", b"\x00\x00\x00\xbe")}[width]
    period = high * 24 + low * 24
    for index in range(round(seconds * stream.rate / size)):
        frame = av.AudioFrame(stream.format.name, stream.layout.name, size)
        for channel, plane in enumerate(frame.planes):
            wave = bytes(len(period)) if left_only and channel else period
            plane.update((wave * (plane.buffer_size // len(wave) + 1))[: plane.buffer_size])
        frame.sample_rate, frame.pts, frame.time_base = stream.rate, index * size, Fraction(1, stream.rate)
        yield frame
