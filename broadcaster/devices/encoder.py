"""H.264 in software: libx264 through PyAV, without delay (each picture gives one access unit at once)."""

from __future__ import annotations

import math
import os
import threading
import time
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from broadcaster.devices.libav import libav_errors
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit

PRESET = "superfast"
"""Costs 1.5 times as much CPU time as `ultrafast`, which has no deblocking: 30 instead of 21 % of a core for the test
picture at 720p30, 42 instead of 28 % for film. On film it gains 3.4 dB at 2.5 Mbit/s and 1.4 dB at 0.8 Mbit/s."""
BUFFER = 0.25
"""VBV buffer in seconds of the bit rate. It bounds the size of keyframes: paced at three times the stream's rate, the
largest is sent within 80 ms."""
THREAD_RATE = 1280 * 720 // 256 * 30
"""Macroblocks per second assigned to one thread at first: 720p30, the maximum of H.264 level 3.1 (table A-1)."""
MAX_LOAD = 0.7
"""Fraction of the frame interval spent encoding above which one more thread is used."""
_TIME_BASE = Fraction(1, 90000)
"""The clock of RTP video (RFC 6184 §8.2.1): fine enough for the capture times at any frame rate."""
_JITTER = 0.85
"""Fraction of the nominal frame interval above which frames count as evenly spaced: cameras are not exact."""
_MIN_FPS = 1.0
"""Minimum frame rate passed to libx264. Rate control uses timestamps; this only scales its first estimates."""
_LOAD_WINDOW = 150
"""Pictures over which the load is averaged."""
_NO_INTERVAL = 1 << 30
"""Keyframes are forced here, so libx264's own interval is disabled (X264_KEYINT_MAX_INFINITE)."""


class Encoder:
    """Constrained baseline H.264 of one size, without delay and with SPS and PPS before every keyframe.

    `encode` must be called from the source's thread; `request_keyframe` and `set_bitrate` from any.

    Each thread of libx264 encodes one slice of the picture (frame threads would add delay). More slices cost quality,
    so the encoder uses as few threads as keep up: at first one for each `THREAD_RATE` macroblocks per second, then one
    more at a keyframe whenever encoding took more than `MAX_LOAD` of the time; at most all cores.
    """

    name = "libx264"

    def __init__(
        self,
        *,
        width: int,
        height: int,
        fps: float,
        bitrate: int,
        keyframe_interval: float,
        buffer: float = BUFFER,
    ) -> None:
        """Units: pixels (even), frames per second, bits per second, seconds; `buffer` in seconds, as `BUFFER`."""
        self._width = width
        self._height = height
        self._fps = Fraction(max(fps, _MIN_FPS)).limit_denominator(1001)
        self._interval = keyframe_interval - 0.5 / max(fps, 10.0)  # half a frame of tolerance for jitter, at most 50 ms
        self._rate = bitrate
        self._buffer = buffer
        self._threads = thread_count(width, height, fps, os.cpu_count() or 1)
        self._keyframe_requested = threading.Event()
        self._codec: VideoCodecContext | None = None
        self._codec_rate = 0
        self._codec_threads = 0
        self._started: float | None = None
        self._last = -1
        self._spacing = 1 / float(self._fps)
        self._keyframe_at = 0.0
        self._encoding_time = 0.0
        self._load = 0.0

    @property
    def load(self) -> float:
        """Fraction of the frame interval that encoding takes, averaged over the last pictures."""
        return self._load

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe."""
        self._keyframe_requested.set()

    def set_bitrate(self, bits_per_second: int) -> None:
        """Set the target bit rate.

        A rate up to that of the last keyframe applies from the next picture, a higher one from the next keyframe. A
        rate below half of that of the last keyframe makes the next picture a keyframe.
        """
        self._rate = bits_per_second

    def encode(self, picture: VideoFrame, captured: float) -> AccessUnit:
        """Encode one yuv420p picture; rate control and keyframe interval use `captured`. Raises `SourceError`."""
        started = time.perf_counter()
        with libav_errors(StreamReason.ENCODER, self.name):
            data = self._encode(picture, captured)
        seconds = time.perf_counter() - started
        self._encoding_time += seconds
        self._load += (seconds * float(self._fps) - self._load) / _LOAD_WINDOW
        return AccessUnit(data, captured, is_keyframe(data))

    def _encode(self, picture: VideoFrame, captured: float) -> bytes:
        rate = self._rate
        keyframe = self._keyframe_due(captured)
        if keyframe:
            self._prepare_keyframe(rate, picture, captured)
        assert self._codec is not None
        picture.pts, picture.time_base = self._timestamp(captured), _TIME_BASE
        self._codec.bit_rate = round(min(rate, self._codec_rate) * self._rate_factor())
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        packets = self._codec.encode(picture)
        if len(packets) != 1:
            raise SourceError(StreamReason.ENCODER, f"libx264 returned {len(packets)} packets for one picture")
        return bytes(packets[0])

    def _timestamp(self, captured: float) -> int:
        """Return ticks of `_TIME_BASE` since the first picture; strictly increasing, even if capture times are not."""
        if self._started is None:
            self._started = captured
        previous = self._last
        self._last = max(previous + 1, round((captured - self._started) / _TIME_BASE))
        if previous >= 0:
            self._spacing += (float((self._last - previous) * _TIME_BASE) - self._spacing) / 2
        return self._last

    def _rate_factor(self) -> float:
        """Return the fraction of the rate to use when pictures come faster than the nominal frame rate.

        Without lookahead libx264 cannot know how long a picture lasts, and assumes 1 / fps seconds for each.
        """
        fraction = self._spacing * float(self._fps)
        return fraction if fraction < _JITTER else 1.0

    def _keyframe_due(self, captured: float) -> bool:
        # Cleared before the picture is encoded: a request that arrives meanwhile applies to the next one.
        requested = self._keyframe_requested.is_set()
        if requested:
            self._keyframe_requested.clear()
        due = self._codec is None or captured - self._keyframe_at >= self._interval
        return requested or due or self._rate_has_dropped()

    def _rate_has_dropped(self) -> bool:
        """Return whether the rate has dropped so far that a new codec is needed: a running one adapts slowly."""
        return self._rate < self._codec_rate / 2

    def _prepare_keyframe(self, rate: int, picture: VideoFrame, captured: float) -> None:
        """Replace the codec if its threads or VBV buffer no longer fit.

        This is possible at a keyframe only, because no picture refers across it. It is the only way to change threads
        and buffer: a running libx264 can lower its rate, and raise it again up to the initial one, but keeps both.
        """
        if self._encoding_time > MAX_LOAD * (captured - self._keyframe_at):
            self._threads = min(self._threads + 1, os.cpu_count() or 1)
        fits = self._codec_rate / 2 <= rate <= self._codec_rate and self._threads == self._codec_threads
        if self._codec is None or not fits:
            self._codec = self._new_codec(rate, picture)
            self._codec_rate, self._codec_threads = rate, self._threads
        self._keyframe_at = captured
        self._encoding_time = 0.0

    def _new_codec(self, rate: int, picture: VideoFrame) -> VideoCodecContext:
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = self._width, self._height, "yuv420p"
        codec.framerate, codec.time_base = self._fps, _TIME_BASE
        codec.bit_rate, codec.gop_size, codec.max_b_frames = rate, _NO_INTERVAL, 0
        codec.thread_count = self._threads
        codec.colorspace, codec.color_range = picture.colorspace, picture.color_range
        codec.color_primaries, codec.color_trc = picture.color_primaries, picture.color_trc
        # Libav writes Annex B with SPS and PPS before each IDR unless a global header is requested.
        codec.options = {
            "preset": PRESET,
            "tune": "zerolatency",
            "profile": "baseline",  # libx264 sets constraint_set1: constrained baseline
            "forced-idr": "1",
            "sc_threshold": "0",  # no additional keyframes at scene changes
            "maxrate": str(rate),
            "bufsize": str(round(rate * self._buffer)),
        }
        codec.open()
        return codec


def thread_count(width: int, height: int, fps: float, cores: int) -> int:
    """Return how many threads a new encoder uses: one per `THREAD_RATE` macroblocks per second, at most all cores."""
    rate = math.ceil(width / 16) * math.ceil(height / 16) * fps
    return max(1, min(math.ceil(rate / THREAD_RATE), cores))
