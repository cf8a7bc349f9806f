"""The video source `v4l2`: a USB camera."""

from __future__ import annotations

import logging
from functools import partial

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.board import Board, read_board
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.thread import SourceThread
from broadcaster.devices.usb.camera import BUFFERS, Camera, CapturedFrame
from broadcaster.devices.usb.controls import flips_of
from broadcaster.devices.usb.find import look_around, pick_camera
from broadcaster.devices.usb.modes import Wanted
from broadcaster.devices.usb.opening import CaptureConfig, CaptureSession, Known, start_capture
from broadcaster.devices.usb.trouble import camera_errors
from broadcaster.errors import DeviceHung, SourceError, StreamReason
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoSink, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)

OPEN_LIMIT = 8.0
"""Seconds for finding, setting and starting a camera, and for a look at its H.264. The kernel gives a camera 5 s for
an answer by USB (UVC_CTRL_STREAMING_TIMEOUT), the stream gives its source 10 s."""
_WAIT = 0.1
"""Seconds between two looks whether to end."""
_PATIENCE = 2.0
"""Pictures may be so many times as old as a picture lasts before they are left out for newer ones."""


class UsbCamera:
    """`ports.VideoSource` of the camera that `video.device` means, looked for anew at each `open`.

    Its own H.264 passes through where a browser takes it; all else is encoded here. If that is too slow, pictures
    are left out, never delayed.
    """

    def __init__(self, clock: Clock, device: str, order: CaptureConfig, board: Board) -> None:
        self._clock = clock
        self._device = device
        self._order = order
        self._board = board
        wanted = order.wanted
        self._traits = VideoTraits(
            "v4l2", "chosen when the camera is open", wanted.width, wanted.height, wanted.fps, False, False
        )
        self._known: Known = {}
        self._camera: Camera | None = None
        self._flow: CaptureSession | None = None
        self._thread: SourceThread[AccessUnit] | None = None
        self._worker: Worker | None = None

    @property
    def traits(self) -> VideoTraits:
        """What it is and can do; true once it is open."""
        return self._traits

    async def open(self, sink: VideoSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""
        self._worker = Worker("usb-camera")
        try:
            flow = self._flow = await self._worker.call(self._start, OPEN_LIMIT)
        except Overdue:
            words = f"it does not answer within {OPEN_LIMIT:g} s: unplug it and plug it in again"
            raise SourceError(StreamReason.CAMERA_STALLED, f"the USB camera: {words}") from None
        self._traits = flow.traits
        self._thread = SourceThread(
            "usb-video", partial(self._run, flow), sink.picture, sink.failed, StreamReason.CAMERA_LOST
        )
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering and let go of the camera; idempotent. Raises `DeviceHung`."""
        thread, self._thread, self._flow = self._thread, None, None
        if thread:
            await thread.close()
            if thread.is_running:
                raise DeviceHung("the USB camera hangs and cannot be closed; only a new process can open it again")
        worker = self._worker
        if worker:
            await worker.close(self._let_go)
            self._worker = None

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe; does nothing where the camera's own H.264 allows none."""
        if self._flow:
            self._flow.way.request_keyframe()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's rate while running; does nothing where the camera's own H.264 has one rate."""
        if self._flow:
            self._flow.way.set_bitrate(bits_per_second)

    def _start(self) -> CaptureSession:
        node = pick_camera(look_around(), self._device)
        with camera_errors(node):
            self._camera = Camera(node)
            return start_capture(self._camera, self._order, self._board, self._known)

    def _let_go(self) -> None:
        camera, self._camera = self._camera, None
        if camera:
            camera.close()

    def _run(self, flow: CaptureSession, thread: SourceThread[AccessUnit]) -> None:
        with camera_errors(flow.camera.node):
            if flow.first:
                self._send(thread, flow, flow.first)
            skips = SkipCount()
            while thread.pause(0):
                shot = self._next(flow, skips)
                if shot:
                    self._send(thread, flow, shot)

    def _next(self, flow: CaptureSession, skips: SkipCount) -> CapturedFrame | None:
        """The next picture to send, None if there is none yet; old ones give way to newer ones where they may."""
        if not flow.camera.is_ready(_WAIT):
            return None
        shot = flow.camera.read(self._clock.monotonic())
        if not flow.way.may_leave_out:
            return shot
        skipped = 0
        for _ in range(BUFFERS):
            late = shot is None or self._clock.monotonic() - shot.captured > _PATIENCE / flow.traits.fps
            if not late or not flow.camera.is_ready():
                break
            skipped += shot is not None
            shot = flow.camera.read(self._clock.monotonic())
        if count := skips.add(skipped, self._clock.monotonic()):
            log.warning("no time to encode the camera's pictures, left out: %d", count)
        return shot

    def _send(self, thread: SourceThread[AccessUnit], flow: CaptureSession, shot: CapturedFrame) -> None:
        for unit in flow.way.units(shot):
            thread.deliver(unit)


def make_usb_camera(settings: VideoSettings, clock: Clock) -> UsbCamera:
    """The source that the settings describe; no camera needs to be there yet."""
    order = CaptureConfig(
        wanted=Wanted(settings.width, settings.height, settings.fps),
        bitrate=settings.bitrate,
        keyframe_interval=settings.keyframe_interval,
        flips=flips_of(settings.rotation, settings.flip),
        controls=settings.controls,
    )
    return UsbCamera(clock, settings.device, order, read_board())
