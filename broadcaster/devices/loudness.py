"""Level measurement of Opus packets, which are decoded because audio sources deliver nothing else."""

from __future__ import annotations

import array
import math

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import RATE
from broadcaster.errors import StreamReason

SKIPPED_PACKETS = 10
"""Packets (20 ms each) that are decoded but not measured: many microphones, and the decoder, start with a click."""
_FULL_SCALE = 32768
"""The reference amplitude of 16-bit samples for dBFS (AES17)."""


class Loudness:
    """Peak and RMS level in dBFS since the first `SKIPPED_PACKETS` packets; None before that and in digital silence."""

    def __init__(self) -> None:
        self._decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(self._decoder, AudioCodecContext)
        self._decoder.sample_rate = RATE
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        self._packets = 0
        self._peak = 0
        self._squares = 0
        self._samples = 0

    def add(self, packet: bytes) -> None:
        """Measure one packet. Raises `SourceError` if it cannot be decoded."""
        with libav_errors(StreamReason.ENCODER, "libopus"):
            decoded = self._decoder.decode(av.Packet(packet))
            frames = [frame for raw in decoded for frame in self._resampler.resample(raw)]
        self._packets += 1
        if self._packets > SKIPPED_PACKETS:
            self._measure(frames)

    def _measure(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            samples = array.array("h", bytes(frame.planes[0])[: frame.samples * 2])
            self._samples += len(samples)
            self._squares += sum(sample * sample for sample in samples)
            self._peak = max(self._peak, *map(abs, samples))

    @property
    def peak(self) -> float | None:
        """The level of the loudest sample."""
        return _decibels(self._peak)

    @property
    def rms(self) -> float | None:
        """The root mean square level."""
        return _decibels(math.sqrt(self._squares / self._samples)) if self._samples else None


def _decibels(amplitude: float) -> float | None:
    return 20 * math.log10(amplitude / _FULL_SCALE) if amplitude else None
