"""Real video and audio for the fakes, encoded once per process and then repeated."""

from __future__ import annotations

import array
import math
import random
from fractions import Fraction
from functools import cache

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.opus import FRAME_SAMPLES, RATE, OpusEncoder
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.devices.testcard.source import CAMERA_BUFFER

WIDTH, HEIGHT, FPS = 320, 180, 30
SECONDS = 1
_TONE = 440
"""Frequency in Hz."""
_PEAK = 4000
"""18 dB below full scale."""


@cache
def pictures(width: int = WIDTH, height: int = HEIGHT) -> tuple[bytes, ...]:
    """Return one second of the test picture as constrained baseline access units; only the first is a keyframe.

    The keyframe is ten times as large as the others, like a camera's. It may follow any of them, as a forced keyframe
    does; the others only in this order.
    """
    pattern = Pattern(width, height, FPS, noise=True)
    encoder = Encoder(
        width=width,
        height=height,
        fps=FPS,
        bitrate=300_000,
        keyframe_interval=SECONDS,
        buffer=CAMERA_BUFFER,
    )
    times = [number / FPS for number in range(SECONDS * FPS)]
    return tuple(encoder.encode(pattern.draw(number, time), time).data for number, time in enumerate(times))


@cache
def huge_keyframe() -> bytes:
    """Return a keyframe of the same size in pixels and of about 100 kB: noise at the finest quantizer."""
    codec = av.CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.framerate, codec.time_base = Fraction(FPS), Fraction(1, FPS)
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "qp": "1"}
    noise = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    generator = random.Random(0)
    for plane in noise.planes:
        plane.update(generator.randbytes(plane.buffer_size))
    return bytes(codec.encode(noise)[0])


@cache
def audio_frames() -> tuple[bytes, ...]:
    """Return one second of a steady tone as Opus packets of 20 ms."""
    samples = (_PEAK * math.sin(2 * math.pi * _TONE * index / RATE) for index in range(RATE * SECONDS))
    pcm = array.array("h", map(round, samples)).tobytes()
    encoder = OpusEncoder(1)
    size = len(pcm) // RATE * FRAME_SAMPLES
    return tuple(encoder.encode(pcm[start : start + size])[0] for start in range(0, len(pcm), size))
