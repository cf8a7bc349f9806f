"""How pictures get from a file to the browsers: as they are, or decoded and encoded."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.file.passing import AnnexB, Damaged, PassCheck
from broadcaster.devices.file.run import Run
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.scaler import Scaler
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit

log = logging.getLogger(__name__)

_CHEAP = 0.1
"""Share of a picture's time below which encoding is not what takes too long."""
_DEAR = 0.9
"""Share above which decoding alone takes too long, so that leaving out more pictures does not help."""
_WINDOW = 8
"""Pictures over which the times that decoding and encoding take are averaged."""


class CannotPass(Exception):
    """What has passed through so far must be encoded from here on; the text says why."""


class Pipeline(Protocol):
    """How pictures get from the file to the browser."""

    can_repeat: bool
    """Whether pictures can be sent again, and left out."""
    period: float
    """Seconds between two pictures."""

    @property
    def has_picture(self) -> bool:
        """Whether there is a picture that can be sent again."""

    def pictures(self, run: Run) -> Iterator[tuple[Any, float]]:
        """The pictures of a run, with their positions. Raises `CannotPass`."""

    def leaves_out(self, late: float) -> bool:
        """Whether a picture that is so many seconds late is not sent."""

    def count_left_out(self, pictures: int, now: float) -> None:
        """So many pictures are not sent, here or by the decoder; logs them now and then."""

    def units(self, picture: Any, captured: float) -> Iterator[AccessUnit]:
        """What becomes of a picture: one access unit, or none."""

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """The last picture once more."""


class Passthrough:
    """As they are, from the first keyframe on; none may be left out, the next ones refer to it."""

    can_repeat = False

    def __init__(self, fps: float) -> None:
        self.period = 1 / fps
        self._started = False

    @property
    def has_picture(self) -> bool:
        """See `Pipeline.has_picture`."""
        return False

    def pictures(self, run: Run) -> Iterator[tuple[bytes, float]]:
        """See `Pipeline.pictures`."""
        check = PassCheck()
        try:
            annexb = AnnexB(run.stream)
            for packet, position in run.packets():
                shown = not packet.is_discard  # the filter empties the packet
                for unit in annexb.units(packet):
                    if obstacle := check.obstacle(unit, position, shown=shown):
                        raise CannotPass(obstacle)
                    yield unit, position
        except Damaged as damage:
            raise run.storage_error() or CannotPass(str(damage)) from damage

    def leaves_out(self, late: float) -> bool:
        """See `Pipeline.leaves_out`."""
        return False

    def count_left_out(self, pictures: int, now: float) -> None:
        """Nothing is left out."""

    def units(self, picture: bytes, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.units`."""
        keyframe = is_keyframe(picture)
        self._started = self._started or keyframe
        if self._started:
            yield AccessUnit(picture, captured, keyframe)

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.repeat`."""
        return iter(())


class Transcoder:
    """Decoded, made to fit and encoded.

    Where encoding takes too long, whatever comes later than the next picture is due is left out. Where decoding
    takes too long, that would leave nothing: then the decoder must do less (see `Player`).
    """

    can_repeat = True

    def __init__(self, encoder: Encoder, width: int, height: int, fps: float) -> None:
        self.period = 1 / fps
        self._encoder = encoder
        self._scaler = Scaler(width, height)
        self._last: VideoFrame | None = None
        self._skips = SkipCount()
        self._in_a_row = 0
        self._decoding = self._encoding = 0.0

    @property
    def has_picture(self) -> bool:
        """See `Pipeline.has_picture`."""
        return self._last is not None

    def pictures(self, run: Run) -> Iterator[tuple[tuple[VideoFrame, Fraction], float]]:
        """See `Pipeline.pictures`."""
        codec: Any = run.stream.codec_context
        said = run.stream.sample_aspect_ratio or Fraction(1)  # type: ignore[attr-defined]  # of a video stream
        first: Fraction | None = None
        frames = run.frames()
        while True:
            started = time.perf_counter()
            frame, position = next(frames, (None, 0.0))
            self._decoding += (time.perf_counter() - started - self._decoding) / _WINDOW
            if frame is None:
                return
            if isinstance(frame, VideoFrame):
                now = codec.sample_aspect_ratio
                first = first or now
                yield (frame, said if now == first else now or Fraction(1)), position

    def leaves_out(self, late: float) -> bool:
        """See `Pipeline.leaves_out`."""
        left_out = late > self.period and self._in_a_row < self._most_in_a_row()
        self._in_a_row = self._in_a_row + 1 if left_out else 0
        return left_out

    def count_left_out(self, pictures: int, now: float) -> None:
        """See `Pipeline.count_left_out`."""
        if count := self._skips.add(pictures, now):
            log.warning("decoding and encoding the file takes too long; %d pictures were left out", count)

    def units(self, picture: tuple[VideoFrame, Fraction], captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.units`."""
        frame, pixel_aspect = picture
        started = time.perf_counter()
        with libav_errors(StreamReason.ENCODER, "scaling"):
            self._last = self._scaler.fit(frame, pixel_aspect)
        yield self._encoder.encode(self._last, captured)
        self._encoding += (time.perf_counter() - started - self._encoding) / _WINDOW

    def repeat(self, captured: float) -> Iterator[AccessUnit]:
        """See `Pipeline.repeat`."""
        if self._last is None:
            raise SourceError(StreamReason.INTERNAL, "no picture to repeat")
        yield self._encoder.encode(self._last, captured)

    def _most_in_a_row(self) -> int:
        """How many pictures may be left out one after the other."""
        if self._encoding < _CHEAP * self.period:
            return 0
        return 1 if self._decoding > _DEAR * self.period else 1000
