"""Tests of sources for the doctor: the speed of the encoder, what a source delivers, and its audio level."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.loudness import Loudness
from broadcaster.devices.small import SmallEncoder
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import AudioSource, VideoSource, VideoTraits
from broadcaster.settings import VideoSettings


def measure_encoding_speed(settings: VideoSettings, seconds: float) -> float:
    """Return the maximum fps of the software encoder at the configured size. Raises `SourceError`."""
    return _measure_speed(settings, seconds, _new_encoder(settings).encode)


def measure_encoding_speed_of_both(settings: VideoSettings, small_size: tuple[int, int], seconds: float) -> float:
    """Return the maximum fps of the software encoder with both renditions. Raises `SourceError`."""
    encoder, small = _new_encoder(settings), _VideoCounter()
    second = SmallEncoder(small, settings.second_bitrate, small_size, settings.keyframe_interval)
    second.turn(True)

    def encode(picture: VideoFrame, captured: float) -> None:
        second.prepare(picture)
        encoder.encode(picture, captured)
        second.feed(picture, captured, settings.fps, 0.0, lambda function, value: function(value))

    speed = _measure_speed(settings, seconds, encode)
    if small.error:
        raise small.error
    return speed


def _new_encoder(settings: VideoSettings) -> Encoder:
    return Encoder(
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
    )


def _measure_speed(settings: VideoSettings, seconds: float, encode: Callable[[VideoFrame, float], object]) -> float:
    pattern = Pattern(settings.width, settings.height, settings.fps)
    began, spent, count = time.perf_counter(), 0.0, 0
    while count == 0 or time.perf_counter() - began < seconds:
        picture = pattern.draw(count, time.time())
        before = time.perf_counter()
        encode(picture, before)
        spent += time.perf_counter() - before
        count += 1
    return count / spent


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds: timeout for the first item, how long to measure after it, and timeout of `close`."""

    first_item: float
    measuring: float
    closing: float


@dataclass(frozen=True, slots=True)
class SmallTestResult:
    """What the small rendition delivered in `fps`, and the full one meanwhile; `error` is why its encoder failed."""

    fps: float
    full_fps: float
    error: SourceError | None


@dataclass(frozen=True, slots=True)
class VideoTestResult:
    """What a video source delivered.

    `startup` is the time to the first picture in seconds, None if none came; `fps` is measured after it; `error` is
    what the source failed with; `closed` is false if it did not close in time; `small` is None without a small
    rendition.
    """

    traits: VideoTraits
    startup: float | None
    fps: float
    error: SourceError | None
    closed: bool
    small: SmallTestResult | None = None


@dataclass(frozen=True, slots=True)
class AudioTestResult:
    """What an audio source delivered: number of frames, and levels in dBFS (0 is full scale), None in silence."""

    name: str
    frames: int
    peak: float | None
    rms: float | None
    error: SourceError | None
    closed: bool


async def run_video_test(source: VideoSource, limits: Limits) -> VideoTestResult:
    """Open a video source, count its pictures without and with the small rendition, and close it."""
    sink, began = _VideoCounter(), time.monotonic()
    both = _BothRenditions(source, limits)
    closed = await _run_test(both, sink, limits, both.measure)
    startup = sink.first_at - began if sink.count else None
    return VideoTestResult(source.traits, startup, both.fps or sink.rate, sink.error, closed, both.small)


async def run_audio_test(source: AudioSource, limits: Limits) -> AudioTestResult:
    """Open an audio source, measure its level, and close it."""
    sink = _AudioMeter()
    closed = await _run_test(source, sink, limits, lambda _: asyncio.sleep(limits.measuring))
    return AudioTestResult(source.name, sink.count, sink.loudness.peak, sink.loudness.rms, sink.error, closed)


class _CountingSink:
    """The common part of a video and an audio sink."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self.error: SourceError | None = None
        self.started = asyncio.Event()
        """Set by the first item or an error."""

    @property
    def rate(self) -> float:
        """Items per second, from the first to the last one."""
        return (self.count - 1) / (self.last_at - self.first_at) if self.count > 1 else 0.0

    def failed(self, error: SourceError) -> None:
        """See `ports.VideoSink` and `ports.AudioSink`."""
        self.error = error
        self.started.set()

    def _count_item(self) -> None:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.count += 1
        self.started.set()


class _VideoCounter(_CountingSink):
    """A `ports.VideoSink` that counts pictures."""

    def picture(self, unit: AccessUnit) -> None:
        """See `ports.VideoSink`."""
        self._count_item()


class _AudioMeter(_CountingSink):
    """A `ports.AudioSink` that measures the level."""

    def __init__(self) -> None:
        super().__init__()
        self.loudness = Loudness()

    def frame(self, frame: OpusFrame) -> None:
        """See `ports.AudioSink`."""
        self._count_item()
        try:
            self.loudness.add(frame.data)
        except SourceError as error:
            self.failed(error)


Sink_contra = TypeVar("Sink_contra", bound=_CountingSink, contravariant=True)


class _Source(Protocol[Sink_contra]):
    """What video and audio sources have in common."""

    async def open(self, sink: Sink_contra) -> None: ...

    async def close(self) -> None: ...


class _BothRenditions:
    """A video source with its small rendition; `fps` is the full one's alone, 0 if it was not measured."""

    def __init__(self, source: VideoSource, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._sink = _VideoCounter()
        self.fps = 0.0
        self.small: SmallTestResult | None = None

    async def open(self, sink: _VideoCounter) -> None:
        """Open the source."""
        await self._source.open(sink, self._sink)

    async def close(self) -> None:
        """Close the source."""
        await self._source.close()

    async def measure(self, full: _VideoCounter) -> None:
        """Count the pictures of the full rendition, and then those of both."""
        await asyncio.sleep(self._limits.measuring)
        self.fps = full.rate
        if self._source.traits.small_size is None or full.error is not None:
            return
        self._source.encode_small(True)
        rates = await self._measure_both(full)
        self._source.encode_small(False)
        self.small = SmallTestResult(*rates, self._sink.error)

    async def _measure_both(self, full: _VideoCounter) -> tuple[float, float]:
        """Return the fps of the small and of the full rendition while both are encoded."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.first_item):
                await self._sink.started.wait()
        if not self._sink.count:
            return 0.0, 0.0
        began, small_count, full_count = time.monotonic(), self._sink.count, full.count
        await asyncio.sleep(self._limits.measuring)
        seconds = time.monotonic() - began
        return (self._sink.count - small_count) / seconds, (full.count - full_count) / seconds


async def _run_test(
    source: _Source[Sink_contra],
    sink: Sink_contra,
    limits: Limits,
    measure: Callable[[Sink_contra], Awaitable[None]],
) -> bool:
    """Run the source into `sink`, and store its error there; return whether it closed in time.

    `measure` returns when enough has been delivered.
    """
    try:
        async with asyncio.timeout(limits.first_item):
            await source.open(sink)
            await sink.started.wait()
        if sink.error is None:
            await measure(sink)
    except TimeoutError:
        pass  # nothing was delivered: `count` stays 0
    except SourceError as error:
        sink.error = error
    except DeviceHung as error:
        sink.error = SourceError(StreamReason.CAMERA_STALLED, str(error))
    try:
        await asyncio.wait_for(source.close(), limits.closing)
    except (TimeoutError, DeviceHung):
        return False
    return True
