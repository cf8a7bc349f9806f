"""Pipelines from a camera's pictures to access units: passthrough, or decoding, scaling and encoding."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from av.video.frame import VideoFrame

from broadcaster.devices.board import Board
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.m2m import HardwareEncoder, hardware_obstacle
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.scaler import Scaler
from broadcaster.devices.usb.camera import Camera, CapturedFrame
from broadcaster.devices.usb.decoding import Decoding
from broadcaster.devices.v4l2 import BITRATE, FORCE_KEYFRAME
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.parameter_sets import ParameterSets
from broadcaster.model.stream import AccessUnit

log = logging.getLogger(__name__)

PASSING = "none (H.264 passes through)"


class Pipeline(Protocol):
    """Converts pictures to access units, in the source's thread; only the two requests may come from others."""

    @property
    def encoder(self) -> str:
        """A name for people."""

    @property
    def can_force_keyframe(self) -> bool:
        """Whether `request_keyframe` does anything."""

    @property
    def can_set_bitrate(self) -> bool:
        """Whether `set_bitrate` does anything."""

    @property
    def may_leave_out(self) -> bool:
        """Whether a late picture may be skipped."""

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the bit rate."""

    def units(self, shot: CapturedFrame) -> list[AccessUnit]:
        """Return a picture's access units, usually one. Raises `SourceError`, and OSError of the camera."""


class Passthrough:
    """Passes the camera's own H.264 through, and adds parameter sets to keyframes that lack them.

    It starts with a keyframe, and resumes with one after a lost picture, to which later pictures may refer.
    Requests are passed to the camera between two pictures, on the source's thread.
    """

    encoder = PASSING
    may_leave_out = False  # the next picture refers to it

    def __init__(self, camera: Camera) -> None:
        self.sets = ParameterSets()
        self.can_force_keyframe = camera.has(FORCE_KEYFRAME)
        self.can_set_bitrate = camera.has(BITRATE)
        self._camera = camera
        self._started = False
        self._last: int | None = None
        self._asked: dict[int, int] = {}

    def request_keyframe(self) -> None:
        """See `Pipeline`."""
        if self.can_force_keyframe:
            self._asked[FORCE_KEYFRAME] = 1

    def set_bitrate(self, bits_per_second: int) -> None:
        """See `Pipeline`."""
        if self.can_set_bitrate:
            self._asked[BITRATE] = bits_per_second

    def units(self, shot: CapturedFrame) -> list[AccessUnit]:
        """See `Pipeline`."""
        if self._last is not None and shot.number > self._last + 1:
            self._started = False
            self.request_keyframe()
        self._last = shot.number
        while self._asked:
            self._camera.set(*self._asked.popitem())
        data, keyframe = self.sets.complete(shot.data)
        self._started = self._started or keyframe
        return [AccessUnit(data, shot.captured, keyframe)] if data and self._started else []


class PictureEncoder(Protocol):
    """The interface of an encoder as `Transcoder` needs it."""

    @property
    def name(self) -> str:
        """A name for people."""

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Set the target bit rate."""

    def encode(self, picture: VideoFrame, captured: float) -> AccessUnit | Iterable[AccessUnit]:
        """Encode one yuv420p picture."""


class Transcoder:
    """Decodes, flips, scales and encodes pictures: all of them, or those that `thinning` selects."""

    can_force_keyframe = can_set_bitrate = may_leave_out = True

    def __init__(
        self, decoding: Decoding, fit: Scaler, encoder: PictureEncoder, thinning: FrameDecimator | None
    ) -> None:
        self.encoder = encoder.name
        self.request_keyframe = encoder.request_keyframe
        self.set_bitrate = encoder.set_bitrate
        self._decoding = decoding
        self._fit = fit
        self._encode = encoder.encode
        self._thinning = thinning
        self._broken = SkipCount()

    def units(self, shot: CapturedFrame) -> list[AccessUnit]:
        """See `Pipeline`."""
        if self._thinning and not self._thinning.takes(shot.captured):
            return []
        picture = self._decoding.decode(shot.data)
        if count := self._broken.add(int(picture is None), shot.captured):
            log.warning("%d damaged pictures from the camera skipped (bad cable or hub?)", count)
        if picture is None:
            return []
        with libav_errors(StreamReason.ENCODER, "scaling"):
            picture = self._fit.fit(picture)
        units = self._encode(picture, shot.captured)
        return [units] if isinstance(units, AccessUnit) else list(units)


class FrameDecimator:
    """Drops pictures of a camera that is much too fast, evenly, so that `fps` frames per second remain."""

    def __init__(self, fps: float) -> None:
        self._period = 1 / fps
        self._due = float("-inf")

    def takes(self, captured: float) -> bool:
        """Return whether to keep the picture captured at `captured`."""
        if captured < self._due - self._period / 4:
            return False
        late = captured - self._due
        # A grid of due times, so that 50 fps become 30 and not 25; it restarts after a pause.
        self._due = (captured if late > self._period else self._due) + self._period
        return True


def make_encoder(board: Board, *, width: int, height: int, fps: float, bitrate: int, interval: float) -> PictureEncoder:
    """Return the board's hardware encoder if it has one for this size, else libx264; the reason is logged."""
    obstacle = hardware_obstacle(width, height)
    if board.h264_encoder and obstacle is None:
        try:
            return HardwareEncoder(width=width, height=height, fps=fps, bitrate=bitrate, keyframe_interval=interval)
        except SourceError as error:
            log.warning("hardware encoder failed; using libx264 instead: %s", error.detail)
    elif board.h264_encoder:
        log.info("encoding with libx264: %s", obstacle)
    return Encoder(width=width, height=height, fps=fps, bitrate=bitrate, keyframe_interval=interval)
