"""The video source `v4l2`: a USB camera."""

from __future__ import annotations

import logging
from functools import partial

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.board import Board, read_board
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.small import SmallEncoder, small_video
from broadcaster.devices.thread import SourceThread
from broadcaster.devices.usb.camera import BUFFERS, Camera, CapturedFrame
from broadcaster.devices.usb.capture import CaptureConfig, CaptureSession, ObstacleCache, start_capture
from broadcaster.devices.usb.controls import flips_of
from broadcaster.devices.usb.errors import camera_errors
from broadcaster.devices.usb.find import pick_camera, scan_devices
from broadcaster.devices.usb.modes import RequestedMode
from broadcaster.devices.usb.pipelines import Pipeline
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import Clock, VideoSink, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)

OPEN_LIMIT = 8.0
"""Seconds for finding, configuring and starting a camera, including the check of its H.264. The kernel waits up to 5 s
for a camera's answer over USB (UVC_CTRL_STREAMING_TIMEOUT)."""
_POLL_TIMEOUT = 0.1
"""Seconds to wait for a picture before checking whether the source has been closed."""
_MAX_AGE = 2.0
"""Age in frame intervals above which a picture is skipped for a newer one."""


class UsbCamera:
    """The `ports.VideoSource` of the camera that `video.device` names, searched for at each `open`.

    The camera's own H.264 passes through if browsers can decode it; everything else is encoded here. If encoding is
    too slow, pictures are skipped instead of delayed.
    """

    def __init__(self, clock: Clock, device: str, config: CaptureConfig, board: Board) -> None:
        self._clock = clock
        self._device = device
        self._config = config
        self._board = board
        requested = config.requested
        self._traits = VideoTraits(
            "v4l2", "chosen when the camera is opened", requested.width, requested.height, requested.fps, False, False
        )
        self._obstacles: ObstacleCache = {}
        self._camera: Camera | None = None
        self._session: CaptureSession | None = None
        self._thread: SourceThread[AccessUnit] | None = None
        self._worker: Worker | None = None

    @property
    def traits(self) -> VideoTraits:
        """Properties and abilities of the camera; placeholders until it has been opened."""
        return self._traits

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink` and `small`. Raises `SourceError`."""
        self._worker = Worker("usb-camera")
        try:
            session = self._session = await self._worker.call(partial(self._start, small), OPEN_LIMIT)
        except Overdue:
            text = f"the USB camera does not answer within {OPEN_LIMIT:g} s: unplug it and plug it in again"
            raise SourceError(StreamReason.CAMERA_STALLED, text) from None
        self._traits = session.traits
        self._thread = SourceThread(
            "usb-video", partial(self._run, session), sink.picture, sink.failed, StreamReason.CAMERA_LOST
        )
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering and release the camera; idempotent. Raises `DeviceHung`."""
        thread, self._thread, self._session = self._thread, None, None
        if thread:
            await thread.close()
            if thread.is_running:
                raise DeviceHung("the USB camera hangs and cannot be closed; only a new process can open it again")
        worker = self._worker
        if worker:
            await worker.close(self._release)
            self._worker = None

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Request a keyframe soon; does nothing if the camera's own H.264 has no such control."""
        if encoder := self._encoder(quality):
            encoder.request_keyframe()

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change the bit rate while running; does nothing if the camera's own H.264 has no such control."""
        if encoder := self._encoder(quality):
            encoder.set_bitrate(bits_per_second)

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition."""
        if self._session and self._session.small:
            self._session.small.turn(on)

    def _encoder(self, quality: Quality) -> Pipeline | SmallEncoder | None:
        if self._session is None:
            return None
        return self._session.pipeline if quality is Quality.FULL else self._session.small

    def _start(self, small: VideoSink | None) -> CaptureSession:
        node = pick_camera(scan_devices(), self._device)
        with camera_errors(node):
            self._camera = Camera(node)
            return start_capture(self._camera, self._config, self._board, self._obstacles, small)

    def _release(self) -> None:
        camera, self._camera = self._camera, None
        if camera:
            camera.close()

    def _run(self, session: CaptureSession, thread: SourceThread[AccessUnit]) -> None:
        with camera_errors(session.camera.node):
            if session.first_frame:
                self._send(thread, session, session.first_frame)
            skips = SkipCount()
            while thread.pause(0):
                frame = self._next_frame(session, skips)
                if frame:
                    self._send(thread, session, frame)

    def _next_frame(self, session: CaptureSession, skips: SkipCount) -> CapturedFrame | None:
        """Return the next picture to send, None if there is none yet; skip old ones where the pipeline allows it."""
        if not session.camera.is_ready(_POLL_TIMEOUT):
            return None
        frame = session.camera.read(self._clock.monotonic())
        if not session.pipeline.can_skip_pictures:
            return frame
        skipped = 0
        for _ in range(BUFFERS):
            late = frame is None or self._clock.monotonic() - frame.captured > _MAX_AGE / session.traits.fps
            if not late or not session.camera.is_ready():
                break
            skipped += frame is not None
            frame = session.camera.read(self._clock.monotonic())
        if count := skips.add(skipped, self._clock.monotonic()):
            log.warning("encoding is too slow for the camera; pictures skipped: %d", count)
        return frame

    def _send(self, thread: SourceThread[AccessUnit], session: CaptureSession, frame: CapturedFrame) -> None:
        for unit in session.pipeline.units(frame, session.small):
            thread.deliver(unit)
        if session.small:
            session.pipeline.encode_small(session.small, thread.call)


def make_usb_camera(settings: VideoSettings, clock: Clock) -> UsbCamera:
    """Return the source that the settings describe; the camera may be missing until it is opened."""
    config = CaptureConfig(
        requested=RequestedMode(settings.width, settings.height, settings.fps),
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
        flips=flips_of(settings.rotation, settings.flip),
        small=small_video(settings),
        controls=settings.controls,
    )
    return UsbCamera(clock, settings.device, config, read_board())
