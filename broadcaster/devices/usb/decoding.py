"""Decoding of a camera's raw, JPEG or H.264 frames with libav."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from broadcaster.devices.libav import libav_errors
from broadcaster.devices.usb.formats import H264, JPEG, RAW, without_padding
from broadcaster.devices.usb.modes import Mode
from broadcaster.errors import StreamReason

_TIME_BASE = Fraction(1, 1_000_000)
"""Required by filters; the capture time itself is passed separately."""


class Decoder:
    """Decodes the frames of one mode without delay; `stride` is the bytes per line of a raw picture's first plane."""

    def __init__(self, mode: Mode, stride: int) -> None:
        self._mode = mode
        self._stride = stride
        with libav_errors(StreamReason.ENCODER, f"decoding {mode.pixel_format}"):
            self._codec = _new_codec(mode)

    def decode(self, data: bytes) -> VideoFrame | None:
        """Return the decoded picture; None if it is damaged, which happens occasionally over USB."""
        if self._mode.pixel_format in RAW:
            data = without_padding(data, self._mode.pixel_format, self._mode.width, self._mode.height, self._stride)
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.FFmpegError:
            return None
        if not frames:
            return None
        frames[-1].time_base = _TIME_BASE
        return frames[-1]


def _new_codec(mode: Mode) -> VideoCodecContext:
    name = "mjpeg" if mode.pixel_format in JPEG else "h264" if mode.pixel_format == H264 else "rawvideo"
    codec = av.CodecContext.create(name, "r")
    assert isinstance(codec, VideoCodecContext)
    codec.thread_count = 1  # frame threads would add a delay of several frames
    if mode.pixel_format in RAW:
        codec.width, codec.height, codec.pix_fmt = mode.width, mode.height, RAW[mode.pixel_format].name
    if name == "h264":
        codec.options = {"flags": "low_delay"}
    return codec
