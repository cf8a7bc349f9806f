"""One camera from open to close. Everything here blocks, and all but the keyframe belongs to one thread."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Protocol

from broadcaster.devices.board import Board
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.picamera import controls, shape
from broadcaster.devices.picamera.cameras import choose, csi_cameras
from broadcaster.devices.picamera.faults import Step, explained
from broadcaster.devices.picamera.hardware import HardwareEncoding
from broadcaster.devices.picamera.library import load
from broadcaster.devices.picamera.software import SoftwareEncoding
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoTraits
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)


class Encoding(Protocol):
    """One of the two ways from the camera's pictures to access units."""

    name: str

    def start(self, camera: Any) -> None:
        """Encode what a configured camera will give."""

    def stop(self, camera: Any) -> None:
        """Encode no more; the camera has been stopped."""

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the rate while running."""


class Session:
    """A camera that delivers into `bridge`; `close` ends it, also when `open` failed on the way."""

    def __init__(self, settings: VideoSettings, board: Board, clock: Clock, bridge: LoopBridge[AccessUnit]) -> None:
        self._settings = settings
        self._board = board
        self._clock = clock
        self._bridge = bridge
        self._step = Step.LOAD
        self._camera: Any = None
        self._encoding: Encoding | None = None

    def open(self) -> VideoTraits:
        """Open, set up and start the camera. Raises whatever the libraries raise: `explained` tells what it means."""
        libcamera, picamera2 = load("libcamera"), load("picamera2")
        self._step = Step.OPEN
        manager = libcamera.CameraManager.singleton()  # kept until picamera2 has it, or it looks for cameras twice
        chosen = choose(csi_cameras(manager), self._settings.device)
        camera = self._camera = open_camera(picamera2.Picamera2, chosen.number)
        self._step = Step.CONFIGURE
        camera.configure(shape.configuration(camera, libcamera.Transform, self._settings, self._board))
        camera.set_controls(controls.checked(self._settings.controls, camera.camera_controls, words(libcamera)))
        fps = shape.rate_of(camera, self._settings.fps)
        self._step = Step.ENCODER
        encoding = self._encoding = self._choose_encoding(fps)
        encoding.start(camera)
        self._step = Step.START
        camera.start()
        width, height = camera.camera_configuration()["main"]["size"]
        log.info("camera %s: %d×%d, %.3g pictures a second, encoder: %s", chosen, width, height, fps, encoding.name)
        if fps < self._settings.fps:
            log.warning("video.fps = %d: at this size the camera has no more than %.3g", self._settings.fps, fps)
        return VideoTraits(f"picamera2 ({chosen.model})", encoding.name, width, height, fps, True, True)

    def explained(self, error: BaseException) -> SourceError:
        """Say what an error out of `open` means."""
        return explained(error, self._step)

    def close(self) -> None:
        """Release everything; idempotent. Raises what picamera2 raises, after all steps have been tried."""
        with ExitStack() as ending:
            # libcamera closes its devices (/dev/video*, /dev/media*) with the last reference to them, and picamera2's
            # objects form reference cycles. Objects that were frozen meanwhile (service/garbage.py) are not collected.
            ending.callback(gc.collect)
            ending.callback(gc.unfreeze)
            if self._camera is not None:
                ending.callback(self._camera.close)
                if self._encoding is not None:
                    ending.callback(self._encoding.stop, self._camera)
                ending.callback(self._camera.stop)
            self._camera = self._encoding = None

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""
        if self._encoding is not None:
            self._encoding.request_keyframe()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's rate."""
        if self._encoding is not None:
            self._encoding.set_bitrate(bits_per_second)

    def _choose_encoding(self, fps: float) -> Encoding:
        """The board's encoder where it has one, else libx264: picamera2's own choice mistakes a PC for a Pi 4."""
        if self._board.h264_encoder:
            return HardwareEncoding(self._settings, fps, self._bridge, self._board.h264_encoder)
        return SoftwareEncoding(self._settings, fps, self._bridge, self._clock)


def open_camera(camera_class: Any, number: int) -> Any:
    """Return picamera2's camera of that number.

    Where its constructor fails, it leaves a pipe open, and a busy camera is tried again for days: so it is closed here.
    """
    camera = camera_class.__new__(camera_class)
    with ExitStack() as failed:
        failed.callback(_close_pipe, camera)
        camera.__init__(number)
        failed.pop_all()
    return camera


def _close_pipe(camera: Any) -> None:
    if hasattr(camera, "notifymeread"):
        camera.notifymeread.close()
        os.close(camera.notifyme_w)


def words(libcamera: Any) -> controls.Words:
    """Return what looks up libcamera's words for the numbers of a control, such as AfModeEnum.Continuous."""

    def look_up(name: str) -> Mapping[str, int]:
        known = getattr(libcamera.controls, f"{name}Enum", None)
        return {word: int(number) for word, number in getattr(known, "__members__", {}).items()}

    return look_up
