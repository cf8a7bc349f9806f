"""Tests of sources for the doctor: the speed of the encoder, what a source delivers, and its audio level."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol, TypeVar

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.loudness import Loudness
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import AudioSource, VideoSource, VideoTraits
from broadcaster.settings import VideoSettings


def measure_encoding_speed(settings: VideoSettings, seconds: float) -> float:
    """Return the maximum fps of the software encoder at the configured size. Raises `SourceError`."""
    encoder = Encoder(
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
    )
    pattern = Pattern(settings.width, settings.height, settings.fps)
    began, spent, count = time.perf_counter(), 0.0, 0
    while count == 0 or time.perf_counter() - began < seconds:
        picture = pattern.draw(count, time.time())
        before = time.perf_counter()
        encoder.encode(picture, before)
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
class VideoTestResult:
    """What a video source delivered.

    `startup` is the time to the first picture in seconds, None if none came; `fps` is measured after it; `error` is
    what the source failed with; `closed` is false if it did not close in time.
    """

    traits: VideoTraits
    startup: float | None
    fps: float
    error: SourceError | None
    closed: bool


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
    """Open a video source, count its pictures, and close it."""
    sink, began = _VideoCounter(), time.monotonic()
    closed = await _run_test(source, sink, limits)
    startup = sink.first_at - began if sink.count else None
    fps = (sink.count - 1) / (sink.last_at - sink.first_at) if sink.count > 1 else 0.0
    return VideoTestResult(source.traits, startup, fps, sink.error, closed)


async def run_audio_test(source: AudioSource, limits: Limits) -> AudioTestResult:
    """Open an audio source, measure its level, and close it."""
    sink = _AudioMeter()
    closed = await _run_test(source, sink, limits)
    return AudioTestResult(source.name, sink.count, sink.loudness.peak, sink.loudness.rms, sink.error, closed)


class _CountingSink:
    """The common part of a video and an audio sink."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self.error: SourceError | None = None
        self.started = asyncio.Event()
        """Set by the first item or an error."""

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


async def _run_test(source: _Source[Sink_contra], sink: Sink_contra, limits: Limits) -> bool:
    """Run the source into `sink`, and store its error there; return whether it closed in time."""
    try:
        async with asyncio.timeout(limits.first_item):
            await source.open(sink)
            await sink.started.wait()
        if sink.error is None:
            await asyncio.sleep(limits.measuring)
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
