"""The Opus encoder (RFC 6716)."""

from __future__ import annotations

from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from broadcaster.devices.libav import libav_errors
from broadcaster.errors import SourceError, StreamReason

RATE = 48000
"""Sample rate in Hz, as in RTP (RFC 7587 §4.1)."""
FRAME_SAMPLES = 960
"""Samples per 20 ms frame."""
FRAME = FRAME_SAMPLES / RATE
"""Frame duration in seconds."""
SAMPLE_BYTES = 2
"""Bytes per sample and channel: signed 16 bits."""
_BIT_RATES = {1: 64_000, 2: 96_000}
"""Bit rate in bits per second by number of channels: transparent to nearly all listeners."""


class OpusEncoder:
    """libopus by PyAV: 20 ms of interleaved 16-bit samples in, one packet out."""

    def __init__(self, channels: int) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._sent = 0
        with libav_errors(StreamReason.ENCODER, "libopus"):
            self._codec = _new_codec(self._layout, _BIT_RATES[channels])

    def encode(self, pcm: bytes) -> tuple[bytes, float]:
        """Return a packet, and the time of its first sample in seconds relative to the first of `pcm`.

        The time is slightly negative because of the encoder's look-ahead of 6.5 ms. Raises `SourceError`.
        """
        frame = AudioFrame(format="s16", layout=self._layout, samples=FRAME_SAMPLES)
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, Fraction(1, RATE)
        memoryview(frame.planes[0])[: len(pcm)] = pcm
        with libav_errors(StreamReason.ENCODER, "libopus"):
            packets = self._codec.encode(frame)
        if len(packets) != 1:
            raise SourceError(StreamReason.ENCODER, f"libopus returned {len(packets)} packets for one frame")
        lead = ((packets[0].pts or 0) - self._sent) / RATE
        self._sent += FRAME_SAMPLES
        return bytes(packets[0]), lead


def _new_codec(layout: str, bit_rate: int) -> AudioCodecContext:
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.time_base = RATE, Fraction(1, RATE)
    codec.layout, codec.format, codec.bit_rate = layout, "s16", bit_rate
    codec.options = {"frame_duration": "20", "application": "audio"}
    codec.open()
    return codec
