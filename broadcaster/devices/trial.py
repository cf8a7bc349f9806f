"""Measurements for the doctor: the speed of the encoder, what a source delivers, and its audio level."""

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


def encoding_speed(settings: VideoSettings, seconds: float) -> float:
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
    """Time limits in seconds: to wait for the first item, to continue after it, and for `close`."""

    patience: float
    going_on: float
    closing: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What a video source delivered.

    `waited` is the time to the first picture in seconds, None if none came; `rate` is the fps after that; `error` is
    what the source failed with. `closed` is false when it did not close in time.
    """

    traits: VideoTraits
    waited: float | None
    rate: float
    error: SourceError | None
    closed: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What an audio source delivered: frames, and levels in dBFS (0 is full scale), None in silence."""

    name: str
    frames: int
    peak: float | None
    rms: float | None
    error: SourceError | None
    closed: bool


async def watch(source: VideoSource, limits: Limits) -> Watched:
    """Open a video source, count its pictures, and close it."""
    eye, began = _Eye(), time.monotonic()
    closed = await _witness(source, eye, limits)
    waited = eye.first - began if eye.count else None
    rate = (eye.count - 1) / (eye.last - eye.first) if eye.count > 1 else 0.0
    return Watched(source.traits, waited, rate, eye.error, closed)


async def listen(source: AudioSource, limits: Limits) -> Heard:
    """Open an audio source, measure its level, and close it."""
    ear = _Ear()
    closed = await _witness(source, ear, limits)
    return Heard(source.name, ear.count, ear.loudness.peak, ear.loudness.rms, ear.error, closed)


class _Witness:
    """The common part of a video and an audio sink."""

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = 0.0
        self.error: SourceError | None = None
        self.something = asyncio.Event()

    def failed(self, error: SourceError) -> None:
        """See `ports.VideoSink` and `ports.AudioSink`."""
        self.error = error
        self.something.set()

    def _saw(self) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.count += 1
        self.something.set()


class _Eye(_Witness):
    """A `ports.VideoSink` that counts."""

    def picture(self, unit: AccessUnit) -> None:
        """See `ports.VideoSink`."""
        self._saw()


class _Ear(_Witness):
    """A `ports.AudioSink` that measures."""

    def __init__(self) -> None:
        super().__init__()
        self.loudness = Loudness()

    def frame(self, frame: OpusFrame) -> None:
        """See `ports.AudioSink`."""
        self._saw()
        try:
            self.loudness.add(frame.data)
        except SourceError as error:
            self.failed(error)


Sink_contra = TypeVar("Sink_contra", bound=_Witness, contravariant=True)


class _Source(Protocol[Sink_contra]):
    """What video and audio sources have in common."""

    async def open(self, sink: Sink_contra) -> None: ...

    async def close(self) -> None: ...


async def _witness(source: _Source[Sink_contra], sink: Sink_contra, limits: Limits) -> bool:
    """Run the source into `sink`, and store its error there; return whether it closed in time."""
    try:
        async with asyncio.timeout(limits.patience):
            await source.open(sink)
            await sink.something.wait()
        if sink.error is None:
            await asyncio.sleep(limits.going_on)
    except TimeoutError:
        pass  # nothing came: `count` stays 0
    except SourceError as error:
        sink.error = error
    except DeviceHung as error:
        sink.error = SourceError(StreamReason.CAMERA_STALLED, str(error))
    try:
        await asyncio.wait_for(source.close(), limits.closing)
    except (TimeoutError, DeviceHung):
        return False
    return True
