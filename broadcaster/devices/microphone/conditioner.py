"""Conversion of a sound card's samples for the encoder: gain, exactly 48 kHz, 20 ms frames; silence detection."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.filter import Graph

from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import FRAME_SAMPLES, RATE, SAMPLE_BYTES
from broadcaster.errors import StreamReason

MAX_STRETCH = 0.002
"""Maximum fraction by which audio is stretched or compressed: a thirtieth of a semitone, which is inaudible."""
TOLERANCE = 0.001
"""Seconds that audio may be out of sync before it is stretched."""
HARD_CORRECTION = 0.02
"""Seconds out of sync from which silence is inserted, or audio dropped, at once: samples are missing."""
SILENCE_LIMIT = 10.0
"""Seconds of nothing but zero samples that count as silence."""

_TIME_BASE = Fraction(1, RATE)


class Conditioner:
    """Filters of libav: `gain` in decibels with saturation, then resampling that follows the capture times.

    This compensates for a sound card's clock that is off by some parts per million: the output has exactly 48000
    samples per monotonic second, so it stays in sync with the video.
    """

    def __init__(self, channels: int, gain: float) -> None:
        self._layout = "mono" if channels == 1 else "stereo"
        self._sample_bytes = channels * SAMPLE_BYTES
        self._origin: float | None = None
        with libav_errors(StreamReason.ENCODER, "audio filters"):
            self._graph = _new_graph(self._layout, gain)

    def push(self, pcm: bytes, captured: float) -> Iterator[tuple[bytes, float]]:
        """Add samples, the first of them captured at `captured`; yield 20 ms frames and their capture times."""
        if self._origin is None:
            self._origin = captured
        samples = len(pcm) // self._sample_bytes
        frame = AudioFrame(format="s16", layout=self._layout, samples=samples)
        frame.sample_rate, frame.time_base = RATE, _TIME_BASE
        frame.pts = round((captured - self._origin) * RATE)
        memoryview(frame.planes[0])[: len(pcm)] = pcm
        with libav_errors(StreamReason.ENCODER, "audio filters"):
            self._graph.push(frame)
        yield from self._pull()

    def _pull(self) -> Iterator[tuple[bytes, float]]:
        assert self._origin is not None
        while True:
            with libav_errors(StreamReason.ENCODER, "audio filters"):
                try:
                    frame = self._graph.pull()
                except av.BlockingIOError:  # no complete frame yet
                    return
            assert isinstance(frame, AudioFrame)
            pcm = bytes(frame.planes[0])[: FRAME_SAMPLES * self._sample_bytes]
            yield pcm, self._origin + (frame.pts or 0) / RATE


def _new_graph(layout: str, gain: float) -> Graph:
    graph = Graph()
    nodes = [graph.add_abuffer(sample_rate=RATE, format="s16", layout=layout, time_base=_TIME_BASE)]
    if gain:
        nodes.append(graph.add("volume", f"volume={gain:g}dB:precision=fixed"))
    sync = f"min_comp={TOLERANCE}:max_soft_comp={MAX_STRETCH}:comp_duration=1:min_hard_comp={HARD_CORRECTION}"
    # `res` resamples from the first sample on; to begin with it later would be audible.
    nodes.append(graph.add("aresample", f"{RATE}:flags=res:{sync}"))
    nodes.append(graph.add("asetnsamples", f"n={FRAME_SAMPLES}:p=0"))
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


class SilenceDetector:
    """Detects long runs of zero samples."""

    def __init__(self) -> None:
        self._since: float | None = None

    def is_silent(self, pcm: bytes, now: float) -> bool:
        """Return whether, including these samples, there have been only zeros for `SILENCE_LIMIT` seconds."""
        if pcm.count(0) != len(pcm):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= SILENCE_LIMIT
