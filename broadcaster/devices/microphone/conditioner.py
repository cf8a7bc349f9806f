"""Conversion of a card's samples for the encoder: gain, exactly 48 kHz, frames of 20 ms; and silence detection."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import FRAME_SAMPLES, RATE, SAMPLE_BYTES
from broadcaster.errors import StreamReason

STRETCH = 0.002
"""Share by which the sound is stretched or squeezed at most: a thirtieth of a semitone, which nobody hears."""
TOLERANCE = 0.001
"""Seconds that the sound may be off before it is stretched."""
HARD = 0.02
"""Seconds from which silence is put in, or sound left out, at once: samples are missing."""

_TICK = Fraction(1, RATE)


class Conditioner:
    """libav's filters by PyAV: `gain` in decibels with saturation, then resampling that follows the capture times.

    It is how a sound card's clock that is off by some parts in a million stays with the picture: the sound that
    comes out has exactly 48000 samples for each monotonic second.
    """

    def __init__(self, channels: int, gain: float) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._bytes = channels * SAMPLE_BYTES
        self._origin: float | None = None
        with libav_errors(StreamReason.ENCODER, "sound filters"):
            self._graph = _graph(self._layout, gain)

    def push(self, pcm: bytes, captured: float) -> Iterator[tuple[bytes, float]]:
        """Take whole samples, the first of them captured then; gives frames of 20 ms and their times of capture."""
        if self._origin is None:
            self._origin = captured
        samples = len(pcm) // self._bytes
        frame = AudioFrame(format="s16", layout=self._layout, samples=samples)
        frame.sample_rate, frame.time_base = RATE, _TICK
        frame.pts = round((captured - self._origin) * RATE)
        memoryview(frame.planes[0])[: len(pcm)] = pcm
        with libav_errors(StreamReason.ENCODER, "sound filters"):
            self._graph.push(frame)
        yield from self._ready()

    def _ready(self) -> Iterator[tuple[bytes, float]]:
        assert self._origin is not None
        while True:
            with libav_errors(StreamReason.ENCODER, "sound filters"):
                try:
                    frame = self._graph.pull()
                except av.BlockingIOError:  # no whole frame yet
                    return
            assert isinstance(frame, AudioFrame)
            pcm = bytes(frame.planes[0])[: FRAME_SAMPLES * self._bytes]
            yield pcm, self._origin + (frame.pts or 0) / RATE


def _graph(layout: str, gain: float) -> Graph:
    graph = Graph()
    nodes = [graph.add_abuffer(sample_rate=RATE, format="s16", layout=layout, time_base=_TICK)]
    if gain:
        nodes.append(graph.add("volume", f"volume={gain:g}dB:precision=fixed"))
    follow = f"min_comp={TOLERANCE}:max_soft_comp={STRETCH}:comp_duration=1:min_hard_comp={HARD}"
    # `res`: resampling from the first sample on, or beginning it would be heard.
    nodes.append(graph.add("aresample", f"{RATE}:flags=res:{follow}"))
    nodes.append(graph.add("asetnsamples", f"n={FRAME_SAMPLES}:p=0"))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


LIMIT = 10.0
"""Seconds of only zero samples that count as silence."""


class Silence:
    """Detects long runs of zero samples."""

    def __init__(self) -> None:
        self._since: float | None = None

    def lasts(self, pcm: bytes, now: float) -> bool:
        """Return whether, including these samples, there have been only zeros for `LIMIT` seconds."""
        if pcm.count(0) != len(pcm):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= LIMIT
