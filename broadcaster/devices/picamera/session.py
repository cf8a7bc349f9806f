"""One capture session of a CSI camera, from open to close.

Everything here blocks. All methods must be called from the same thread.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from broadcaster.devices.board import Board
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.picamera import controls
from broadcaster.devices.picamera.cameras import csi_cameras, pick_camera
from broadcaster.devices.picamera.configuration import actual_fps, configuration
from broadcaster.devices.picamera.errors import Step, source_error
from broadcaster.devices.picamera.hardware import HardwareEncoding
from broadcaster.devices.picamera.library import load
from broadcaster.devices.picamera.software import SoftwareEncoding
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)


class Encoding(Protocol):
    """Encodes a camera's pictures to access units, in hardware or in software."""

    name: str

    def start(self, camera: Any) -> None:
        """Prepare to encode; `camera` is configured and not yet started."""

    def stop(self, camera: Any) -> None:
        """Stop encoding; `camera` is stopped."""

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the bit rate while running."""


class Session:
    """A camera that delivers into `bridge`; call `close` in any case, also if `open` failed."""

    def __init__(self, settings: VideoSettings, board: Board, clock: Clock, bridge: LoopBridge[AccessUnit]) -> None:
        self._settings = settings
        self._board = board
        self._clock = clock
        self._bridge = bridge
        self._step = Step.LOAD
        self._camera: Any = None
        self._encoding: Encoding | None = None

    def open(self) -> VideoTraits:
        """Open, configure and start the camera. Raises any of the libraries' exceptions; see `source_error`."""
        libcamera, picamera2 = load("libcamera"), load("picamera2")
        self._step = Step.OPEN
        # Referenced until picamera2 has taken it over; otherwise libcamera would enumerate the cameras twice.
        manager = libcamera.CameraManager.singleton()
        chosen = pick_camera(csi_cameras(manager), self._settings.device)
        camera = self._camera = open_camera(picamera2.Picamera2, chosen.number)
        self._step = Step.CONFIGURE
        camera.configure(configuration(camera, libcamera.Transform, self._settings, self._board))
        values = enum_values(libcamera)
        camera.set_controls(controls.validated(self._settings.controls, camera.camera_controls, values))
        fps = actual_fps(camera, self._settings.fps)
        self._step = Step.ENCODER
        encoding = self._encoding = self._new_encoding(fps)
        encoding.start(camera)
        self._step = Step.START
        camera.start()
        width, height = camera.camera_configuration()["main"]["size"]
        log.info("camera %s: %d×%d at %.3g fps, encoder: %s", chosen, width, height, fps, encoding.name)
        if fps < self._settings.fps:
            log.warning("video.fps = %d: the camera's maximum at this size is %.3g", self._settings.fps, fps)
        return VideoTraits(f"picamera2 ({chosen.model})", encoding.name, width, height, fps, True, True)

    def source_error(self, error: BaseException) -> SourceError:
        """Convert an exception that `open` raised."""
        return source_error(error, self._step)

    def close(self) -> None:
        """Release everything; idempotent. Raises picamera2's exceptions, after all steps have been tried."""
        with ExitStack() as cleanup:
            # libcamera closes its devices (/dev/video*, /dev/media*) with the last reference to them, and picamera2's
            # objects form reference cycles. Objects frozen meanwhile (service/garbage.py) would not be collected.
            cleanup.callback(gc.collect)
            cleanup.callback(gc.unfreeze)
            if self._camera is not None:
                cleanup.callback(self._camera.close)
                if self._encoding is not None:
                    cleanup.callback(self._encoding.stop, self._camera)
                cleanup.callback(self._camera.stop)
            self._camera = self._encoding = None

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""
        if self._encoding is not None:
            self._encoding.request_keyframe()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's bit rate."""
        if self._encoding is not None:
            self._encoding.set_bitrate(bits_per_second)

    def _new_encoding(self, fps: float) -> Encoding:
        """Return the hardware encoder if the board has one, else libx264.

        picamera2's own choice is not used, because it takes a PC for a Pi 4.
        """
        if self._board.h264_encoder:
            return HardwareEncoding(self._settings, fps, self._bridge, self._board.h264_encoder)
        return SoftwareEncoding(self._settings, fps, self._bridge, self._clock)


def open_camera(camera_class: Any, number: int) -> Any:
    """Return an instance of `Picamera2` for the camera with this number.

    A constructor that fails leaves a pipe open, which is closed here: opening a busy camera may be retried for days.
    """
    camera = camera_class.__new__(camera_class)
    with ExitStack() as cleanup:
        cleanup.callback(_close_pipe, camera)
        camera.__init__(number)
        cleanup.pop_all()
    return camera


def _close_pipe(camera: Any) -> None:
    if hasattr(camera, "notifymeread"):
        camera.notifymeread.close()
        os.close(camera.notifyme_w)


def enum_values(libcamera: Any) -> controls.EnumValues:
    """Return a function that looks up a control's enumeration in libcamera, such as AfModeEnum."""

    def look_up(name: str) -> Mapping[str, int]:
        enum = getattr(libcamera.controls, f"{name}Enum", None)
        return {member: int(number) for member, number in getattr(enum, "__members__", {}).items()}

    return look_up
