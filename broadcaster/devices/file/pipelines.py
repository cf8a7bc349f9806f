"""The two pipelines from a file's pictures to access units: passthrough, and decoding and encoding."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

import av
from av.codec.context import CodecContext, Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.file.passthrough import AnnexBConverter, InvalidBitstream, PassthroughCheck
from broadcaster.devices.file.track_reader import TrackReader
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.small import Call, SmallEncoder
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit

log = logging.getLogger(__name__)

_LOW_LOAD = 0.1
"""Fraction of the frame interval below which encoding is not the bottleneck."""
_HIGH_LOAD = 0.9
"""Fraction of the frame interval above which decoding alone is too slow, so that skipping does not help."""
_WINDOW = 8
"""Pictures over which the decoding and encoding times are averaged."""


class PassthroughImpossible(Exception):
    """What has passed through so far must be encoded from here on; the text says why."""


class Pipeline(Protocol):
    """Makes access units of a file's pictures."""

    can_repeat: bool
    """Whether pictures can be repeated and skipped."""
    period: float
    """The frame interval in seconds."""

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture to repeat."""

    def pictures(self, reader: TrackReader) -> Iterator[tuple[Any, float]]:
        """Yield the pictures of one loop with their positions. Raises `PassthroughImpossible`."""

    def should_skip(self, late: float) -> bool:
        """Return whether to skip a picture that is `late` seconds late."""

    def count_skipped(self, pictures: int, now: float) -> None:
        """Count pictures that were skipped here or by the decoder; log them from time to time."""

    def access_units(self, picture: Any, captured: float) -> Iterator[AccessUnit]:
        """Yield the access unit of a picture, if it has one."""

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """Yield the last picture once more."""

    def encode_small(self, unit: AccessUnit, call: Call) -> None:
        """Encode the small rendition of the picture that `unit` contains, which was the last, and deliver it."""


class Passthrough:
    """Access units as they are in the file, from the first keyframe on.

    None may be skipped, because the following ones refer to it.
    """

    can_repeat = False

    def __init__(self, fps: float, small: SmallEncoder | None = None) -> None:
        self.period = 1 / fps
        self._started = False
        self._small = small
        self._decoder: VideoCodecContext | None = None

    @property
    def has_picture(self) -> bool:
        """See `Pipeline.has_picture`."""
        return False

    def pictures(self, reader: TrackReader) -> Iterator[tuple[bytes, float]]:
        """See `Pipeline.pictures`."""
        check = PassthroughCheck()
        try:
            converter = AnnexBConverter(reader.stream)
            for packet, position in reader.packets():
                shown = not packet.is_discard  # read before the converter empties the packet
                for unit in converter.convert(packet):
                    if obstacle := check.obstacle(unit, position, shown=shown):
                        raise PassthroughImpossible(obstacle)
                    yield unit, position
        except InvalidBitstream as error:
            raise reader.storage_error() or PassthroughImpossible(str(error)) from error

    def should_skip(self, late: float) -> bool:
        """See `Pipeline.should_skip`."""
        return False

    def count_skipped(self, pictures: int, now: float) -> None:
        """Do nothing: nothing is skipped."""

    def access_units(self, picture: bytes, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.access_units`."""
        keyframe = is_keyframe(picture)
        self._started = self._started or keyframe
        if self._started:
            yield AccessUnit(picture, captured, keyframe)

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.repeat`."""
        return iter(())

    def encode_small(self, unit: AccessUnit, call: Call) -> None:
        """See `Pipeline.encode_small`; pictures are decoded for it, from a keyframe on, while it is on."""
        if self._small is None or not self._small.is_on:
            self._decoder = None
            return
        if self._decoder is None and unit.keyframe:
            self._decoder = _h264_decoder()
        if self._decoder is not None:
            try:
                pictures = self._decoder.decode(Packet(unit.data))
            except av.FFmpegError:
                self._decoder = None  # damaged; the viewers of the full rendition see it, too
                return
            for picture in pictures:
                picture.pts, picture.time_base = 0, Fraction(1, 90_000)  # filters need some; the encoder sets its own
                self._small.feed(picture, unit.captured, 1 / self.period, 0.0, call)


class Transcoder:
    """Decodes, scales and encodes.

    If encoding is too slow, pictures that are late by more than the frame interval are skipped. If decoding is too
    slow, that would skip them all: then the decoder itself has to skip pictures (see `VideoPlayer`).
    """

    can_repeat = True

    def __init__(
        self, encoder: Encoder, width: int, height: int, fps: float, small: SmallEncoder | None = None
    ) -> None:
        self.period = 1 / fps
        self._encoder = encoder
        self._small = small
        self._scaler = Scaler(width, height)
        self._last: VideoFrame | None = None
        self._skips = SkipCount()
        self._consecutive_skips = 0
        self._decoding_time = self._encoding_time = 0.0

    @property
    def has_picture(self) -> bool:
        """See `Pipeline.has_picture`."""
        return self._last is not None

    def pictures(self, reader: TrackReader) -> Iterator[tuple[tuple[VideoFrame, Fraction], float]]:
        """See `Pipeline.pictures`; each picture comes with its pixel aspect ratio.

        The container's ratio overrides that of the bit stream, as long as the latter does not change.
        """
        codec: Any = reader.stream.codec_context
        container_aspect = reader.stream.sample_aspect_ratio or Fraction(1)  # type: ignore[attr-defined]  # of video
        first_aspect: Fraction | None = None
        frames = reader.frames()
        while True:
            started = time.perf_counter()
            frame, position = next(frames, (None, 0.0))
            self._decoding_time += (time.perf_counter() - started - self._decoding_time) / _WINDOW
            if frame is None:
                return
            if isinstance(frame, VideoFrame):
                aspect = codec.sample_aspect_ratio
                first_aspect = first_aspect or aspect
                yield (frame, container_aspect if aspect == first_aspect else aspect or Fraction(1)), position

    def should_skip(self, late: float) -> bool:
        """See `Pipeline.should_skip`."""
        skip = late > self.period and self._consecutive_skips < self._max_consecutive_skips()
        self._consecutive_skips = self._consecutive_skips + 1 if skip else 0
        return skip

    def count_skipped(self, pictures: int, now: float) -> None:
        """See `Pipeline.count_skipped`."""
        if count := self._skips.add(pictures, now):
            log.warning("overloaded, decoding and encoding are too slow; pictures of the file skipped: %d", count)

    def access_units(self, picture: tuple[VideoFrame, Fraction], captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.access_units`."""
        frame, pixel_aspect = picture
        started = time.perf_counter()
        with libav_errors(StreamReason.ENCODER, "scaling"):
            self._last = self._scaler.fit(frame, pixel_aspect)
        if self._small is not None:
            self._small.prepare(self._last)
        yield self._encoder.encode(self._last, captured)
        self._encoding_time += (time.perf_counter() - started - self._encoding_time) / _WINDOW

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.repeat`."""
        if self._last is None:
            raise SourceError(StreamReason.INTERNAL, "no picture to repeat")
        yield self._encoder.encode(self._last, captured)

    def encode_small(self, unit: AccessUnit, call: Call) -> None:
        """See `Pipeline.encode_small`."""
        if self._small is not None and self._last is not None:
            load = self._decoding_time / self.period + self._encoder.load
            self._small.feed(self._last, unit.captured, 1 / self.period, load, call)

    def _max_consecutive_skips(self) -> int:
        if self._encoding_time < _LOW_LOAD * self.period:
            return 0
        return 1 if self._decoding_time > _HIGH_LOAD * self.period else 1000


def _h264_decoder() -> VideoCodecContext:
    """Return a decoder that returns each picture at once: neither threads nor reordering delay it."""
    decoder = CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    decoder.flags |= Flags.low_delay
    return decoder
