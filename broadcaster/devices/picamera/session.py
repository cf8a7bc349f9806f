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
from broadcaster.devices.picamera.configuration import actual_fps, configuration, small_size
from broadcaster.devices.picamera.errors import Step, source_error
from broadcaster.devices.picamera.hardware import HardwareEncoding
from broadcaster.devices.picamera.library import load
from broadcaster.devices.picamera.software import SoftwareEncoding
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import Clock, VideoSink, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)


class Encoding(Protocol):
    """Encodes a camera's pictures to access units, in hardware or in software; once, or in two renditions."""

    name: str

    def start(self, camera: Any) -> None:
        """Prepare to encode; `camera` is configured and not yet started."""

    def stop(self, camera: Any) -> None:
        """Stop encoding; `camera` is stopped."""

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make one of the next pictures a keyframe."""

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while running."""

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition; idempotent."""


class Session:
    """A camera that delivers into `bridge`; call `close` in any case, also if `open` failed.

    `small` takes the small rendition, called through `bridge`.
    """

    def __init__(
        self,
        settings: VideoSettings,
        board: Board,
        clock: Clock,
        bridge: LoopBridge[AccessUnit],
        small: VideoSink | None = None,
    ) -> None:
        self._settings = settings
        self._board = board
        self._clock = clock
        self._bridge = bridge
        self._small = small
        self._small_size, self._no_small = small_size(settings, board)
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
        self._configure(camera, libcamera.Transform)
        values = enum_values(libcamera)
        camera.set_controls(controls.validated(self._settings.controls, camera.camera_controls, values))
        fps = actual_fps(camera, self._settings.fps)
        self._step = Step.ENCODER
        encoding = self._encoding = self._new_encoding(fps)
        encoding.start(camera)
        self._step = Step.START
        camera.start()
        traits = self._traits(f"picamera2 ({chosen.model})", encoding.name, fps)
        log.info("camera %s: %d×%d at %.3g fps, encoder: %s", chosen, traits.width, traits.height, fps, encoding.name)
        if fps < self._settings.fps:
            log.warning("video.fps = %d: the camera's maximum at this size is %.3g", self._settings.fps, fps)
        if self._no_small and self._settings.second != "off":
            log.info("no small rendition: %s", self._no_small)
        return traits

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

    def request_keyframe(self, quality: Quality) -> None:
        """Make one of the next pictures a keyframe."""
        if self._encoding is not None:
            self._encoding.request_keyframe(quality)

    def set_bitrate(self, bits_per_second: int, quality: Quality) -> None:
        """Change an encoder's bit rate."""
        if self._encoding is not None:
            self._encoding.set_bitrate(bits_per_second, quality)

    def encode_small(self, on: bool) -> None:
        """Start or stop the encoder of the small rendition."""
        if self._encoding is not None:
            self._encoding.encode_small(on)

    def _configure(self, camera: Any, transform: Any) -> None:
        """Configure the camera, with a smaller stream if the hardware encoder may need one and the camera has it."""
        if self._small is not None and self._small_size is not None and self._board.h264_encoder:
            try:
                camera.configure(configuration(camera, transform, self._settings, self._board, self._small_size))
            except (RuntimeError, OSError) as error:  # the large stream may still work
                self._small_size, self._no_small = None, f"the camera cannot deliver a second size ({error})"
            else:
                self._small_size = camera.camera_configuration()["lores"]["size"]
                return
        camera.configure(configuration(camera, transform, self._settings, self._board))

    def _traits(self, source: str, encoder: str, fps: float) -> VideoTraits:
        width, height = self._camera.camera_configuration()["main"]["size"]
        return VideoTraits(
            source, encoder, width, height, fps, True, True, small_size=self._small_size, no_small=self._no_small
        )

    def _new_encoding(self, fps: float) -> Encoding:
        """Return the hardware encoder if the board has one, else libx264.

        picamera2's own choice is not used, because it takes a PC for a Pi 4.
        """
        small = self._small if self._small_size is not None else None
        if self._board.h264_encoder:
            return HardwareEncoding(self._settings, fps, self._bridge, self._board.h264_encoder, small)
        return SoftwareEncoding(self._settings, fps, self._bridge, self._clock, small)


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
