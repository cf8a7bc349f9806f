"""H.264 by the hardware encoder of a Raspberry Pi (Zero 2 W, 3, 4), through PyAV's `h264_v4l2m2m`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from broadcaster.devices.libav import libav_errors
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.parameter_sets import ParameterSets
from broadcaster.model.stream import AccessUnit

WIDTH_STEP = 64
"""Widths must be a multiple of it. libav passes pictures with their own line size (v4l2_buffers.c); for yuv420p it
equals the driver's, a multiple of 32 (bcm2835-v4l2-codec.c), for such widths only; others come out torn."""
MAX_WIDTH, MAX_HEIGHT = 1920, 1080
_CONSTRAINED_BASELINE = 66 | 1 << 9
"""AV_PROFILE_H264_CONSTRAINED_BASELINE (libavcodec/defs.h); the driver's own default is High."""


class HardwareEncoder:
    """Constrained baseline H.264 of one size, with SPS and PPS before every keyframe.

    The hardware works asynchronously: a picture may come out with the next one, so `encode` returns any number of
    access units, each with the capture time of its own picture. `encode` must be called from the source's thread;
    `request_keyframe` and `set_bitrate` from any. A new bit rate needs a new encoder, so it waits for a keyframe.
    """

    name = "h264_v4l2m2m"
    load = 0.0
    """CPU time as a fraction of the frame interval: the hardware takes none."""

    def __init__(
        self,
        *,
        width: int,
        height: int,
        fps: float,
        bitrate: int,
        keyframe_interval: float,
        create: Callable[[], VideoCodecContext] | None = None,
    ) -> None:
        """Open the encoder. Units: pixels, frames per second, bits per second, seconds. Raises `SourceError`."""
        self._size = width, height
        self._fps = Fraction(fps).limit_denominator(1001)
        self._interval = max(1, round(keyframe_interval * fps))
        self._rate = self._codec_rate = bitrate
        self._create = create or _create
        self._keyframe_requested = threading.Event()
        self._sets = ParameterSets()
        self._waiting: dict[int, float] = {}
        self._count = 0
        self._since_keyframe = self._interval
        with libav_errors(StreamReason.ENCODER, self.name):
            self._codec = self._new_codec()

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe."""
        self._keyframe_requested.set()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Set the target bit rate, from the next keyframe on."""
        self._rate = bits_per_second

    def encode(self, picture: VideoFrame, captured: float) -> list[AccessUnit]:
        """Encode one yuv420p picture; return the access units finished so far. Raises `SourceError`."""
        with libav_errors(StreamReason.ENCODER, self.name):
            return list(self._encode(picture, captured))

    def _encode(self, picture: VideoFrame, captured: float) -> Iterator[AccessUnit]:
        keyframe = self._keyframe_due()
        if keyframe and self._rate != self._codec_rate:
            yield from self._finished(self._codec.encode(None))
            self._codec_rate = self._rate
            self._codec = self._new_codec()
        picture.pts, picture.time_base = self._count, 1 / self._fps
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._waiting[self._count] = captured
        self._count += 1
        self._since_keyframe = 1 if keyframe else self._since_keyframe + 1
        yield from self._finished(self._codec.encode(picture))

    def _keyframe_due(self) -> bool:
        # Cleared before the picture is encoded: a request that arrives meanwhile applies to the next one.
        requested = self._keyframe_requested.is_set()
        if requested:
            self._keyframe_requested.clear()
        return requested or self._since_keyframe >= self._interval

    def _finished(self, packets: Iterable[Packet[Any]]) -> Iterator[AccessUnit]:
        for packet in packets:
            data, keyframe = self._sets.complete(bytes(packet))
            if not data:  # only parameter sets
                continue
            if keyframe and self._sets.obstacle:
                raise SourceError(StreamReason.ENCODER, f"{self.name}: {self._sets.obstacle}")
            yield AccessUnit(data, self._captured(packet.pts), keyframe)

    def _captured(self, number: int | None) -> float:
        """Return the capture time of a finished picture, and forget earlier pictures, which were dropped."""
        number = number if number in self._waiting else next(iter(self._waiting), None)
        if number is None:
            raise SourceError(StreamReason.ENCODER, f"{self.name} returned more pictures than it was given")
        captured = self._waiting[number]
        self._waiting = {later: at for later, at in self._waiting.items() if later > number}
        return captured

    def _new_codec(self) -> VideoCodecContext:
        codec = self._create()
        codec.width, codec.height = self._size
        codec.pix_fmt = "yuv420p"
        codec.framerate, codec.time_base = self._fps, 1 / self._fps
        codec.bit_rate, codec.gop_size, codec.max_b_frames = self._codec_rate, self._interval, 0
        codec.open()
        return codec


def hardware_obstacle(width: int, height: int) -> str | None:
    """Return why the hardware encoder cannot encode pictures of that size; None if it can."""
    if width > MAX_WIDTH or height > MAX_HEIGHT:
        return f"the hardware encoder takes at most {MAX_WIDTH}x{MAX_HEIGHT}"
    if width % WIDTH_STEP:
        return f"the hardware encoder takes only widths that are multiples of {WIDTH_STEP}"
    return None


def _create() -> VideoCodecContext:
    codec = av.CodecContext.create(HardwareEncoder.name, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.options = {"profile": str(_CONSTRAINED_BASELINE)}
    return codec
