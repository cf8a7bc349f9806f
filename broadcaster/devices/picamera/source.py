"""The video source `picamera2`: a CSI camera of a Raspberry Pi."""

from __future__ import annotations

import logging
from collections.abc import Callable

from broadcaster.devices.blocking import CLOSE_LIMIT, Overdue, Worker
from broadcaster.devices.board import Board
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.picamera.configuration import small_size
from broadcaster.devices.picamera.session import Session
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import Clock, VideoSink, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)

OPEN_LIMIT = 8.0
"""Seconds within which a camera must be open; less than the stream allows. On a Zero 2 W most of it is the first import
of picamera2; the camera itself takes about one."""
SILENCE_LIMIT = 1.5
"""Seconds without a picture after which `close` logs the usual causes."""


class CsiCamera:
    """The `ports.VideoSource` of a CSI camera, through picamera2; encoded by the board or by libx264.

    The small rendition is encoded by the same one: by the board from a second stream of the camera, or by libx264.

    All calls into the libraries are made in a worker thread and have a deadline: with a loose cable they may never
    return. If `close` does not return, it raises `DeviceHung`.
    """

    def __init__(self, clock: Clock, settings: VideoSettings, board: Board) -> None:
        self._clock = clock
        self._settings = settings
        self._board = board
        encoder = "hardware" if board.h264_encoder else Encoder.name
        size, obstacle = small_size(settings, board)
        self._traits = VideoTraits(
            "picamera2",
            encoder,
            settings.width,
            settings.height,
            settings.fps,
            True,
            True,
            small_size=size,
            no_small=obstacle,
        )
        self._worker: Worker | None = None
        self._session: Session | None = None
        self._bridge: LoopBridge[AccessUnit] | None = None
        self._delivered_at: float | None = None
        self._warned = False

    @property
    def traits(self) -> VideoTraits:
        """Properties and abilities of the camera; expected values until it has been opened."""
        return self._traits

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink` and `small`. Raises `SourceError`."""

        def take(unit: AccessUnit) -> None:
            self._delivered_at = self._clock.monotonic()
            self._warned = False
            sink.picture(unit)

        self._bridge = LoopBridge("the camera", take, sink.failed, StreamReason.CAMERA_LOST)
        small_sink = small and _SmallSink(small, lambda: self.encode_small(False))
        self._session = Session(self._settings, self._board, self._clock, self._bridge, small_sink)
        self._worker = Worker("the camera")
        self._delivered_at = None
        try:
            self._traits = await self._worker.call(self._session.open, OPEN_LIMIT, self._session.source_error)
        except Overdue:
            raise SourceError(
                StreamReason.CAMERA_STALLED, f"the camera has not opened within {OPEN_LIMIT:g} s"
            ) from None
        self._delivered_at = self._clock.monotonic()

    async def close(self) -> None:
        """Stop delivering and release the camera; idempotent. Raises `DeviceHung`."""
        if self._worker is None or self._session is None or self._bridge is None:
            return
        self._bridge.close()
        self._warn_if_silent()
        await self._worker.close(self._session.close, CLOSE_LIMIT)
        self._worker = self._session = self._bridge = None

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make one of the next pictures a keyframe."""
        if self._worker and (session := self._session):
            self._worker.post(lambda: session.request_keyframe(quality))

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change the encoder's bit rate while running."""
        if self._worker and (session := self._session):
            self._worker.post(lambda: session.set_bitrate(bits_per_second, quality))

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition."""
        if self._worker and (session := self._session):
            self._worker.post(lambda: session.encode_small(on))

    def _warn_if_silent(self) -> None:
        """Log the usual causes if the camera delivered no pictures; once, until it delivers again."""
        silent = self._delivered_at is not None and self._clock.monotonic() - self._delivered_at > SILENCE_LIMIT
        if silent and not self._warned:
            self._warned = True
            log.warning(
                "the camera delivered no pictures: the usual cause is a loose ribbon cable or a weak power supply "
                "(vcgencmd get_throttled prints 0x0 if the power supply is fine)"
            )
        self._delivered_at = None


class _SmallSink:
    """Takes the small rendition (`ports.VideoSink`), and stops its encoder when that has failed."""

    def __init__(self, sink: VideoSink, stop: Callable[[], None]) -> None:
        self._sink = sink
        self._stop = stop
        self.picture = sink.picture

    def failed(self, error: SourceError) -> None:
        """Take the error of the encoder, whose pictures the camera needs back."""
        self._stop()
        self._sink.failed(error)
