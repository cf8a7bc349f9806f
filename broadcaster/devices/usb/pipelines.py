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
from broadcaster.devices.small import Call, SmallEncoder
from broadcaster.devices.usb.camera import Camera, CapturedFrame
from broadcaster.devices.usb.decoding import Decoder
from broadcaster.devices.v4l2 import BITRATE, FORCE_KEYFRAME
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.parameter_sets import ParameterSets
from broadcaster.model.stream import AccessUnit

log = logging.getLogger(__name__)


class Pipeline(Protocol):
    """Converts captured frames to access units.

    `units` must be called from the source's thread; `request_keyframe` and `set_bitrate` from any.
    """

    @property
    def encoder(self) -> str:
        """The encoder's name for display."""

    @property
    def can_force_keyframe(self) -> bool:
        """Whether `request_keyframe` does anything."""

    @property
    def can_set_bitrate(self) -> bool:
        """Whether `set_bitrate` does anything."""

    @property
    def can_skip_pictures(self) -> bool:
        """Whether a late picture may be skipped."""

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the bit rate."""

    def units(self, frame: CapturedFrame, small: SmallEncoder | None = None) -> list[AccessUnit]:
        """Return the access units of a frame, usually one; `small` is prepared for `encode_small`.

        Raises `SourceError`, and OSError of the camera.
        """

    def encode_small(self, small: SmallEncoder, call: Call) -> None:
        """Encode the small rendition of the last frame, if the pipeline decodes it."""


class Passthrough:
    """Passes the camera's own H.264 through, and adds parameter sets to keyframes that lack them.

    It starts at a keyframe, and after a lost frame it resumes at the next one, because later frames may refer to the
    lost one. Requests are passed to the camera between two frames, on the source's thread.
    """

    encoder = "none (H.264 passes through)"
    can_skip_pictures = False  # later pictures refer to every picture

    def __init__(self, camera: Camera) -> None:
        self.sets = ParameterSets()
        self.can_force_keyframe = camera.has(FORCE_KEYFRAME)
        self.can_set_bitrate = camera.has(BITRATE)
        self._camera = camera
        self._running = False
        self._last_number: int | None = None
        self._pending: dict[int, int] = {}

    def request_keyframe(self) -> None:
        """See `Pipeline`."""
        if self.can_force_keyframe:
            self._pending[FORCE_KEYFRAME] = 1

    def set_bitrate(self, bits_per_second: int) -> None:
        """See `Pipeline`."""
        if self.can_set_bitrate:
            self._pending[BITRATE] = bits_per_second

    def units(self, frame: CapturedFrame, small: SmallEncoder | None = None) -> list[AccessUnit]:
        """See `Pipeline`."""
        if self._last_number is not None and frame.number > self._last_number + 1:
            self._running = False
            self.request_keyframe()
        self._last_number = frame.number
        while self._pending:
            self._camera.set(*self._pending.popitem())
        data, keyframe = self.sets.complete(frame.data)
        self._running = self._running or keyframe
        return [AccessUnit(data, frame.captured, keyframe)] if data and self._running else []

    def encode_small(self, small: SmallEncoder, call: Call) -> None:
        """Do nothing: there are no decoded pictures."""


class PictureEncoder(Protocol):
    """The interface of the encoders that `Transcoder` can use."""

    @property
    def name(self) -> str:
        """The encoder's name for display."""

    @property
    def load(self) -> float:
        """Fraction of the frame interval that encoding takes on the source's thread."""

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Set the target bit rate."""

    def encode(self, picture: VideoFrame, captured: float) -> AccessUnit | Iterable[AccessUnit]:
        """Encode one yuv420p picture."""


class Transcoder:
    """Decodes, flips, scales and encodes frames: all of them, or those that `decimator` keeps."""

    can_force_keyframe = can_set_bitrate = can_skip_pictures = True

    def __init__(
        self,
        decoder: Decoder,
        scaler: Scaler,
        encoder: PictureEncoder,
        decimator: FrameDecimator | None,
        fps: float = 30.0,
    ) -> None:
        """`fps` are the frames per second that remain after decimation."""
        self.encoder = encoder.name
        self.request_keyframe = encoder.request_keyframe
        self.set_bitrate = encoder.set_bitrate
        self._decoder = decoder
        self._scaler = scaler
        self._encoder = encoder
        self._fps = fps
        self._last: tuple[VideoFrame, float] | None = None
        self._decimator = decimator
        self._damaged = SkipCount()

    def units(self, frame: CapturedFrame, small: SmallEncoder | None = None) -> list[AccessUnit]:
        """See `Pipeline`."""
        if self._decimator and not self._decimator.keeps(frame.captured):
            return []
        picture = self._decoder.decode(frame.data)
        if count := self._damaged.add(int(picture is None), frame.captured):
            log.warning("damaged pictures from the camera skipped: %d (check the cable and the hub)", count)
        self._last = None
        if picture is None:
            return []
        with libav_errors(StreamReason.ENCODER, "scaling"):
            picture = self._scaler.fit(picture)
        self._last = picture, frame.captured
        if small:
            small.prepare(picture)
        units = self._encoder.encode(picture, frame.captured)
        return [units] if isinstance(units, AccessUnit) else list(units)

    def encode_small(self, small: SmallEncoder, call: Call) -> None:
        """See `Pipeline`."""
        if self._last is not None:
            small.feed(*self._last, self._fps, self._encoder.load, call)
            self._last = None


class FrameDecimator:
    """Drops pictures of a camera that is much faster than requested, evenly, so that `fps` frames per second remain."""

    def __init__(self, fps: float) -> None:
        self._period = 1 / fps
        self._due = float("-inf")

    def keeps(self, captured: float) -> bool:
        """Return whether to keep the picture captured at `captured`."""
        if captured < self._due - self._period / 4:
            return False
        late = captured - self._due
        # Due times stay on a grid, so that 50 fps become 30 and not 25; the grid restarts after a pause.
        self._due = (captured if late > self._period else self._due) + self._period
        return True


def make_encoder(board: Board, *, width: int, height: int, fps: float, bitrate: int, interval: float) -> PictureEncoder:
    """Return the board's hardware encoder if it supports this size, else libx264; log why it is not used."""
    obstacle = hardware_obstacle(width, height)
    if board.h264_encoder and obstacle is None:
        try:
            return HardwareEncoder(width=width, height=height, fps=fps, bitrate=bitrate, keyframe_interval=interval)
        except SourceError as error:
            log.warning("hardware encoder failed; using libx264 instead: %s", error.detail)
    elif board.h264_encoder:
        log.info("encoding with libx264: %s", obstacle)
    return Encoder(width=width, height=height, fps=fps, bitrate=bitrate, keyframe_interval=interval)
