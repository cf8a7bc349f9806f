"""The small rendition of a source: its size, the reason if there is none, and its software encoder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.scaler import Scaler, fitted_size
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import Quality
from broadcaster.ports import VideoSink
from broadcaster.settings import VideoSettings

AUTO_SIZE = (640, 360)
"""The largest size with `video.second = "auto"`: legible on a phone at 400 kbit/s."""

MAX_PIXEL_RATIO = 0.5
"""Ratio of the small rendition's pixels to the full one's above which it would save too little."""

COST = 0.5
"""Time to scale and encode the small rendition, as a fraction of the full one's encoding time: `make bench
ARGS=encoder` measures 0.32 to 0.48 for 640x360 beside 1280x720, the more the busier the machine."""

MAX_LOAD = 0.9
"""Fraction of the frame interval that both encoders together may take; one thread runs both."""

SCALING = "area"
"""swscale's averaging: takes 0.6 of the time of its default `bicubic`. The decoded rendition, scaled up again, has the
same PSNR within 0.2 dB (0.6 dB more with the test picture)."""

Call = Callable[[Callable[[Any], None], Any], None]
"""Calls a function with one argument on the event loop's thread."""


@dataclass(frozen=True, slots=True)
class SmallVideo:
    """The configured small rendition: maximum width and height in pixels (None: no rendition), bits per second."""

    box: tuple[int, int] | None
    bitrate: int

    def size(self, width: int, height: int) -> tuple[int, int] | None:
        """Return the small rendition's size for a `width` x `height` video; None if there is none (see `obstacle`)."""
        if self.box is None or self.obstacle(width, height):
            return None
        return fitted_size(width, height, *self.box)

    def obstacle(self, width: int, height: int) -> str:
        """Return why there is no small rendition of a `width` x `height` video; empty if there can be one."""
        if self.box is None:
            return "video.second is off"
        small_width, small_height = fitted_size(width, height, *self.box)
        if small_width * small_height > MAX_PIXEL_RATIO * width * height:
            return f"the video of {width}x{height} is too small for a second rendition of {small_width}x{small_height}"
        return ""

    def encoder(self, sink: VideoSink | None, width: int, height: int, interval: float) -> SmallEncoder | None:
        """Return the encoder of the small rendition of a `width` x `height` video; None without rendition or sink."""
        size = self.size(width, height)
        return None if sink is None or size is None else SmallEncoder(sink, self.bitrate, size, interval)


NO_SMALL_VIDEO = SmallVideo(None, 0)


def small_video(settings: VideoSettings) -> SmallVideo:
    """Return the small rendition that the settings configure."""
    if settings.second == "off":
        return SmallVideo(None, settings.second_bitrate)
    width, height = AUTO_SIZE if settings.second == "auto" else map(int, settings.second.split("x"))
    return SmallVideo((width, height), settings.second_bitrate)


class SmallEncoder:
    """Encodes the small rendition of a source's pictures into `sink`, while it is on.

    `feed` must be called from the source's thread, the other methods from any. An error ends the small rendition only.
    """

    def __init__(self, sink: VideoSink, bitrate: int, size: tuple[int, int], interval: float) -> None:
        """Units: bits per second, pixels, seconds between keyframes."""
        self._sink = sink
        self._size = size
        self._interval = interval
        self.bitrate = bitrate
        self._is_on = False
        self._encoder: Encoder | None = None
        self._scaler = Scaler(*size, method=SCALING)
        self._scaled: tuple[VideoFrame, VideoFrame] | None = None

    def turn(self, on: bool) -> None:
        """Start or stop encoding; the first picture after a start is a keyframe."""
        if on and not self._is_on:
            self._encoder = None
        self._is_on = on

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe."""
        if encoder := self._encoder:
            encoder.request_keyframe()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Set the target bit rate, also of an encoder that is started later."""
        self.bitrate = bits_per_second
        if encoder := self._encoder:
            encoder.set_bitrate(bits_per_second)

    @property
    def is_on(self) -> bool:
        """Whether pictures are to be encoded."""
        return self._is_on

    def take_over(self, other: SmallEncoder | None) -> None:
        """Take over state and bit rate of `other`, the encoder that this one replaces."""
        if other is not None:
            self._is_on, self.bitrate = other.is_on, other.bitrate

    def prepare(self, picture: VideoFrame) -> None:
        """Scale `picture` already, before the full rendition is encoded; does nothing while off.

        As long as it is in the processor's cache, scaling takes half of the time. `feed` handles any error.
        """
        self._scaled = None
        if self._is_on:
            with contextlib.suppress(SourceError):
                self._scaled = picture, self._scale(picture)

    def feed(self, picture: VideoFrame, captured: float, fps: float, load: float, call: Call) -> None:
        """Encode `picture`, and deliver it by `call`; does nothing while off.

        `load` is the fraction of the frame interval that encoding the full rendition takes.
        """
        if not self._is_on:
            self._encoder = None
            return
        try:
            encoder = self._encoder = self._encoder or self._new_encoder(fps, load)
            scaled, self._scaled = self._scaled, None
            small = scaled[1] if scaled is not None and scaled[0] is picture else self._scale(picture)
            unit = encoder.encode(small, captured)
        except SourceError as error:
            self._is_on = False
            call(self._sink.failed, error)
        else:
            call(self._sink.picture, unit)

    def _scale(self, picture: VideoFrame) -> VideoFrame:
        with libav_errors(StreamReason.ENCODER, "scaling"):
            return self._scaler.fit(picture)

    def _new_encoder(self, fps: float, load: float) -> Encoder:
        if load * (1 + COST) > MAX_LOAD:
            text = f"no time for a second encoder, because the first one takes {load:.0%} of the frame interval"
            raise SourceError(StreamReason.ENCODER, text)
        width, height = self._size
        return Encoder(width=width, height=height, fps=fps, bitrate=self.bitrate, keyframe_interval=self._interval)


class RenditionsMixin:
    """Keyframe requests and bit rates for sources that encode both renditions in software.

    Requests to an encoder that does not exist are ignored.
    """

    _encoder: Encoder | None = None
    _small: SmallEncoder | None = None

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make the next picture a keyframe."""
        encoder = self._encoder if quality is Quality.FULL else self._small
        if encoder:
            encoder.request_keyframe()

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while running."""
        encoder = self._encoder if quality is Quality.FULL else self._small
        if encoder:
            encoder.set_bitrate(bits_per_second)

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition."""
        if self._small:
            self._small.turn(on)
