"""H.264 by the board's hardware encoder: picamera2's `H264Encoder`, and the controls it lacks while running."""

from __future__ import annotations

import contextlib
import fcntl
import struct
from collections.abc import Callable
from typing import Any

from broadcaster.devices import v4l2
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.picamera import library
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit
from broadcaster.settings import VideoSettings

MAX_WIDTH = 2032
"""The encoder's maximum width in pixels."""

RATE_STEP = 25_000
"""The encoder's granularity of bit rates, in bits per second."""

_CONTROL = struct.Struct("=Ii")
"""struct v4l2_control: id and value."""


class HardwareEncoding:
    """Encodes a configured camera's pictures without passing them through Python; call `start` once.

    The encoder receives pictures as DMA buffers, and delivers access units in a thread of its own.
    """

    def __init__(self, settings: VideoSettings, fps: float, bridge: LoopBridge[AccessUnit], device: str) -> None:
        """`device` is the encoder's device path, such as /dev/video11."""
        self._settings = settings
        self._fps = fps
        self._bridge = bridge
        self._encoder: Any = None
        self._rate = round_rate(settings.bitrate)
        self.name = f"hardware ({device})"

    def start(self, camera: Any) -> None:
        """Prepare to encode; pictures come once `camera` is started. Raises picamera2's errors and `SourceError`."""
        if self._settings.width > MAX_WIDTH:
            raise SourceError(
                StreamReason.ENCODER,
                f"video.width = {self._settings.width}: the hardware encoder's maximum is {MAX_WIDTH}",
            )
        # By its full name, because on other boards `picamera2.encoders.H264Encoder` is a software encoder.
        encoders = library.load("picamera2.encoders.h264_encoder")
        self._encoder = encoders.H264Encoder(
            bitrate=self._rate,
            repeat=True,  # SPS and PPS before each keyframe
            iperiod=max(1, round(self._settings.keyframe_interval * self._fps)),
            framerate=self._fps,
            profile="constrained baseline",  # the driver's default is High, which browsers need not support
        )
        camera.start_encoder(self._encoder, _output(library.load("picamera2.outputs").Output, self._deliver))

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""
        if force := getattr(self._encoder, "force_key_frame", None):
            force()
        else:  # picamera2 before 0.3.32
            self._set(v4l2.FORCE_KEYFRAME, 1)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the bit rate while running, which `encoder.bitrate` does not; rounded down to `RATE_STEP`."""
        rate = round_rate(bits_per_second)
        if rate != self._rate:
            self._rate = rate
            self._set(v4l2.BITRATE, rate)

    def stop(self, camera: Any) -> None:
        """Release the encoder, also one that failed to start."""
        if self._encoder in camera.encoders:
            camera.stop_encoder(self._encoder)
        elif self._encoder is not None and self._encoder.running:
            # Partly started: its thread must end, but `stop` fails on what was not created.
            with contextlib.suppress(OSError, RuntimeError, AttributeError):
                self._encoder.stop()

    def _set(self, control: int, value: int) -> None:
        device = self._encoder.vd
        if device is not None and not device.closed:
            fcntl.ioctl(device, v4l2.VIDIOC_S_CTRL, _CONTROL.pack(control, value))

    def _deliver(self, data: bytes, timestamp: int) -> None:
        """In the encoder's thread: deliver an access unit; `timestamp` is in µs since the encoder's first picture."""
        with self._bridge.guard():
            captured = (self._encoder.firsttimestamp + timestamp) / 1e6
            self._bridge.deliver(AccessUnit(data, captured, is_keyframe(data)))


def round_rate(bits_per_second: int) -> int:
    """Return a bit rate rounded down to the encoder's granularity; at least one `RATE_STEP`."""
    return max(RATE_STEP, bits_per_second // RATE_STEP * RATE_STEP)


def _output(base: type, deliver: Callable[[bytes, int], None]) -> Any:
    """Return a picamera2 `Output` that copies each access unit to `deliver`, which must not block or raise."""

    def outputframe(
        self: Any, frame: Any, keyframe: bool = True, timestamp: Any = None, packet: Any = None, audio: bool = False
    ) -> None:
        deliver(bytes(frame), timestamp)

    return type("CallbackOutput", (base,), {"outputframe": outputframe})()
