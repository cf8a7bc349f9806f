"""H.264 by the board's own encoder: picamera2's `H264Encoder`, and what it does not offer while running."""

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

WIDEST = 2032
"""Pixels; the encoder refuses wider pictures."""

RATE_STEP = 25_000
"""Bits a second in which the encoder counts its rate."""

_CONTROL = struct.Struct("=Ii")
"""struct v4l2_control: id and value."""


class HardwareEncoding:
    """From a configured camera to access units without a picture ever entering Python; one `start` each.

    The encoder takes pictures by DMA handle, and delivers in a thread of its own.
    """

    def __init__(self, settings: VideoSettings, fps: float, bridge: LoopBridge[AccessUnit], device: str) -> None:
        """`device` is the encoder's, such as /dev/video11."""
        self._settings = settings
        self._fps = fps
        self._bridge = bridge
        self._encoder: Any = None
        self._rate = rounded(settings.bitrate)
        self.name = f"hardware ({device})"

    def start(self, camera: Any) -> None:
        """Encode what `camera` will give once it is started. Raises what picamera2 raises, and `SourceError`."""
        if self._settings.width > WIDEST:
            raise SourceError(
                StreamReason.ENCODER,
                f"video.width = {self._settings.width}: the board's encoder takes at most {WIDEST} pixels",
            )
        # By its full name: on boards of another kind `picamera2.encoders.H264Encoder` is a software encoder.
        encoders = library.load("picamera2.encoders.h264_encoder")
        self._encoder = encoders.H264Encoder(
            bitrate=self._rate,
            repeat=True,  # SPS and PPS before each keyframe
            iperiod=max(1, round(self._settings.keyframe_interval * self._fps)),
            framerate=self._fps,
            profile="constrained baseline",  # the driver's own choice is High, which browsers need not take
        )
        camera.start_encoder(self._encoder, _output(library.load("picamera2.outputs").Output, self._take))

    def request_keyframe(self) -> None:
        """Make one of the next pictures a keyframe."""
        if force := getattr(self._encoder, "force_key_frame", None):
            force()
        else:  # picamera2 before 0.3.32
            self._set(v4l2.FORCE_KEYFRAME, 1)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the rate while running, which `encoder.bitrate` does not; in steps of `RATE_STEP`."""
        rate = rounded(bits_per_second)
        if rate != self._rate:
            self._rate = rate
            self._set(v4l2.BITRATE, rate)

    def stop(self, camera: Any) -> None:
        """Let go of the encoder; one that failed while it started is no use any more."""
        if self._encoder in camera.encoders:
            camera.stop_encoder(self._encoder)
        elif self._encoder is not None and self._encoder.running:
            # Half started: its thread must end, and what else it has it cannot all let go of.
            with contextlib.suppress(OSError, RuntimeError, AttributeError):
                self._encoder.stop()

    def _set(self, control: int, value: int) -> None:
        device = self._encoder.vd
        if device is not None and not device.closed:
            fcntl.ioctl(device, v4l2.VIDIOC_S_CTRL, _CONTROL.pack(control, value))

    def _take(self, data: bytes, timestamp: int) -> None:
        """In the encoder's thread: microseconds since its first picture become the sensor's own time."""
        with self._bridge.guard():
            captured = (self._encoder.firsttimestamp + timestamp) / 1e6
            self._bridge.deliver(AccessUnit(data, captured, is_keyframe(data)))


def rounded(bits_per_second: int) -> int:
    """Return the rate that the encoder makes of one: never more."""
    return max(RATE_STEP, bits_per_second // RATE_STEP * RATE_STEP)


def _output(base: type, take: Callable[[bytes, int], None]) -> Any:
    """Return a picamera2 `Output` that copies each picture and hands it over; it must never wait nor raise."""

    def outputframe(
        self: Any, frame: Any, keyframe: bool = True, timestamp: Any = None, packet: Any = None, audio: bool = False
    ) -> None:
        take(bytes(frame), timestamp)

    return type("Handover", (base,), {"outputframe": outputframe})()
