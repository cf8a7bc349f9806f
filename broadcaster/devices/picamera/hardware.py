"""H.264 by the board's hardware encoder: picamera2's `H264Encoder`, and the controls it lacks while running."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import struct
import threading
from collections.abc import Callable
from typing import Any

from broadcaster.devices import v4l2
from broadcaster.devices.loop_bridge import LoopBridge
from broadcaster.devices.picamera import library
from broadcaster.devices.picamera.errors import Step, source_error
from broadcaster.devices.picamera.isolated_encoder import IsolatedEncoder, isolated
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import VideoSink
from broadcaster.settings import VideoSettings

log = logging.getLogger(__name__)

MAX_WIDTH = 2032
"""The encoder's maximum width in pixels."""

RATE_STEP = 25_000
"""The encoder's granularity of bit rates, in bits per second."""

STOP_LIMIT = 1.0
"""Seconds within which a second encoder must stop. It takes up to 0.4 s, the polling interval of its thread."""

_CONTROL = struct.Struct("=Ii")
"""struct v4l2_control: id and value."""


class HardwareEncoder:
    """Encodes a stream of a configured camera without passing pictures through Python; call `start` once.

    The encoder receives pictures as DMA buffers, and delivers access units in a thread of its own.
    """

    stream = "main"
    """picamera2's name of the camera's stream."""

    def __init__(self, bitrate: int, interval: float, fps: float, bridge: LoopBridge[AccessUnit]) -> None:
        """Units: bits per second, seconds between keyframes, frames per second."""
        self._rate = round_rate(bitrate)
        self._interval = max(1, round(interval * fps))
        self._fps = fps
        self._bridge = bridge
        self._encoder: Any = None

    def start(self, camera: Any) -> None:
        """Start the encoder; pictures come while `camera` runs. Raises picamera2's errors."""
        # By its full name, because on other boards `picamera2.encoders.H264Encoder` is a software encoder.
        self._encoder = self._create(
            library.load("picamera2.encoders.h264_encoder").H264Encoder,
            bitrate=self._rate,
            repeat=True,  # SPS and PPS before each keyframe
            iperiod=self._interval,
            framerate=self._fps,
            profile="constrained baseline",  # the driver's default is High, which browsers need not support
        )
        output = _output(library.load("picamera2.outputs").Output, self._take)
        camera.start_encoder(self._encoder, output, name=self.stream)

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
        """Release the encoder, also one that failed to start; `camera` is stopped."""
        if self._encoder in camera.encoders:
            camera.stop_encoder(self._encoder)
        elif self._encoder is not None and self._encoder.running:
            # Partly started: its thread must end, but `stop` fails on what was not created.
            with contextlib.suppress(OSError, RuntimeError, AttributeError):
                self._encoder.stop()

    def _create(self, encoder_class: type, **options: Any) -> Any:
        return encoder_class(**options)

    def _guard(self) -> contextlib.AbstractContextManager[None]:
        return self._bridge.guard()

    def _deliver(self, unit: AccessUnit) -> None:
        self._bridge.deliver(unit)

    def _set(self, control: int, value: int) -> None:
        device = getattr(self._encoder, "vd", None)  # None before it has started, or after it has failed
        if device is not None and not device.closed:
            fcntl.ioctl(device, v4l2.VIDIOC_S_CTRL, _CONTROL.pack(control, value))

    def _take(self, data: bytes, timestamp: int) -> None:
        """In the encoder's thread: deliver an access unit; `timestamp` is in µs since the encoder's first picture."""
        with self._guard():
            captured = (self._encoder.firsttimestamp + timestamp) / 1e6
            self._deliver(AccessUnit(data, captured, is_keyframe(data)))


class SecondEncoder(HardwareEncoder):
    """Encodes the camera's smaller stream into `sink`; started and stopped while the camera runs.

    An error, also of `start`, is passed to `sink` only.
    """

    stream = "lores"

    def __init__(
        self, bitrate: int, interval: float, fps: float, bridge: LoopBridge[AccessUnit], sink: VideoSink
    ) -> None:
        super().__init__(bitrate, interval, fps, bridge)
        self._sink = sink

    def start(self, camera: Any) -> None:
        """Start the encoder."""

        def failed(error: Exception) -> None:
            self._report(source_error(error, Step.SECOND_ENCODER))
            self.stop(camera)

        with isolated(failed):
            super().start(camera)

    def stop(self, camera: Any) -> None:
        """Release the encoder, also one that failed; idempotent."""
        if (encoder := self._encoder) is None:
            return
        # Not by `stop_encoder`: the camera's thread would wait until the encoder's has ended, up to 0.4 s.
        with camera.lock:
            camera.encoders.discard(encoder)
        stopping = threading.Thread(target=_stop, args=(encoder,), name="second encoder stops", daemon=True)
        stopping.start()
        stopping.join(STOP_LIMIT)
        if stopping.is_alive():
            log.warning("the second encoder has not stopped within %g s; closing its device", STOP_LIMIT)
        if encoder.vd is not None:
            with contextlib.suppress(OSError):
                encoder.vd.close()  # also ends a thread that has not stopped
            encoder.release_pictures()
        self._encoder = None

    def _create(self, encoder_class: type, **options: Any) -> Any:
        encoder: Any = type("SecondH264Encoder", (IsolatedEncoder, encoder_class), {})(**options)
        encoder.isolate(self._fps, self._report)
        return encoder

    def _guard(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # `IsolatedEncoder` takes errors

    def _deliver(self, unit: AccessUnit) -> None:
        self._bridge.call(self._sink.picture, unit)

    def _report(self, error: SourceError) -> None:
        self._bridge.call(self._sink.failed, error)


class HardwareEncoding:
    """Encodes a configured camera's pictures by the board, at will a second time from its smaller stream."""

    def __init__(
        self,
        settings: VideoSettings,
        fps: float,
        bridge: LoopBridge[AccessUnit],
        device: str,
        small: VideoSink | None = None,
    ) -> None:
        """`device` is the encoder's device path, such as /dev/video11; `small` needs the camera's stream `lores`."""
        self._settings = settings
        self._fps = fps
        self._bridge = bridge
        self._camera: Any = None
        self._full = HardwareEncoder(settings.bitrate, settings.keyframe_interval, fps, bridge)
        self._small: SecondEncoder | None = None
        self._small_sink = small
        self._small_rate = settings.second_bitrate
        self.name = f"hardware ({device})"

    def start(self, camera: Any) -> None:
        """Prepare to encode; pictures come once `camera` is started. Raises picamera2's errors and `SourceError`."""
        if self._settings.width > MAX_WIDTH:
            raise SourceError(
                StreamReason.ENCODER,
                f"video.width = {self._settings.width}: the hardware encoder's maximum is {MAX_WIDTH}",
            )
        self._camera = camera
        self._full.start(camera)

    def stop(self, camera: Any) -> None:
        """Release the encoders, also those that failed to start; `camera` is stopped."""
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self._full.stop, camera)
            self.encode_small(False)

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        """Make one of the next pictures a keyframe."""
        if encoder := self._encoder_of(quality):
            encoder.request_keyframe()

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while running; that of the small rendition also before it runs."""
        if quality is Quality.SMALL:
            self._small_rate = bits_per_second
        if encoder := self._encoder_of(quality):
            encoder.set_bitrate(bits_per_second)

    def encode_small(self, on: bool) -> None:
        """Start or stop the second encoder; idempotent. Never raises because of the encoder."""
        if on and self._small is None and self._small_sink is not None:
            interval = self._settings.keyframe_interval
            self._small = SecondEncoder(self._small_rate, interval, self._fps, self._bridge, self._small_sink)
            self._small.start(self._camera)
        elif not on and self._small is not None:
            encoder, self._small = self._small, None
            encoder.stop(self._camera)

    def _encoder_of(self, quality: Quality) -> HardwareEncoder | None:
        return self._full if quality is Quality.FULL else self._small


def round_rate(bits_per_second: int) -> int:
    """Return a bit rate rounded down to the encoder's granularity; at least one `RATE_STEP`."""
    return max(RATE_STEP, bits_per_second // RATE_STEP * RATE_STEP)


def _stop(encoder: Any) -> None:
    # Fails if the encoder has failed, or has started only partly.
    with contextlib.suppress(OSError, RuntimeError, AttributeError, ValueError):
        encoder.stop()


def _output(base: type, deliver: Callable[[bytes, int], None]) -> Any:
    """Return a picamera2 `Output` that copies each access unit to `deliver`, which must not block or raise."""

    def outputframe(
        self: Any, frame: Any, keyframe: bool = True, timestamp: Any = None, packet: Any = None, audio: bool = False
    ) -> None:
        deliver(bytes(frame), timestamp)

    return type("CallbackOutput", (base,), {"outputframe": outputframe})()
