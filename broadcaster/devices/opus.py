"""Opus: the encoder, and what a packet says about itself (RFC 6716)."""

from __future__ import annotations

from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from broadcaster.devices.libav import libav_errors
from broadcaster.errors import SourceError, StreamReason

RATE = 48000
"""Samples a second, as in RTP (RFC 7587 §4.1)."""
FRAME_SAMPLES = 960
"""Samples of a frame of 20 ms."""
FRAME = FRAME_SAMPLES / RATE
"""Seconds of a frame."""
SAMPLE_BYTES = 2
"""Bytes of a sample of one channel: signed 16 bits."""
_BIT_RATES = {1: 64_000, 2: 96_000}
"""Bits a second by channels: transparent for nearly everybody."""


class OpusEncoder:
    """libopus by PyAV: 20 ms of interleaved 16-bit samples in, one packet out."""

    def __init__(self, channels: int) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._sent = 0
        with libav_errors(StreamReason.ENCODER, "libopus"):
            self._codec = _new_codec(self._layout, _BIT_RATES[channels])

    def encode(self, pcm: bytes) -> tuple[bytes, float]:
        """A packet, and where its first sample lies in seconds from the first of `pcm`. Raises `SourceError`.

        That is always a little before it: the encoder's look-ahead of 6.5 ms.
        """
        frame = AudioFrame(format="s16", layout=self._layout, samples=FRAME_SAMPLES)
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent, Fraction(1, RATE)
        memoryview(frame.planes[0])[: len(pcm)] = pcm
        with libav_errors(StreamReason.ENCODER, "libopus"):
            packets = self._codec.encode(frame)
        if len(packets) != 1:
            raise SourceError(StreamReason.ENCODER, f"libopus gave {len(packets)} packets for one frame")
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
