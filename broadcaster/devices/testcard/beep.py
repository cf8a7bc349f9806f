"""The audio source `test`: a beep at each full second of the wall clock, together with the picture's flash."""

from __future__ import annotations

import array
import asyncio
import logging
import math

from broadcaster.devices.opus import FRAME, FRAME_SAMPLES, RATE, SAMPLE_BYTES, OpusEncoder
from broadcaster.devices.pace import Pace, SkipCount
from broadcaster.devices.testcard.pattern import FLASH
from broadcaster.devices.thread import SourceThread
from broadcaster.model.stream import OpusFrame
from broadcaster.ports import AudioSink, Clock

log = logging.getLogger(__name__)

PITCH = 1000
"""Hertz of the beep."""
LEVEL = 0.25
"""Peak as a fraction of full scale: -12 dBFS."""
FADE = 0.005
"""Seconds of fade-in and fade-out, which avoid clicks."""
TOLERANCE = 0.2
"""Seconds that audio may be late before frames are skipped: no more than a browser's jitter buffer bridges."""
_STEP = RATE // 1000
"""Samples by which the wall clock may differ from the sample count before it counts as having been set."""


class BeepTrack:
    """An endless mono track: a beep in the first `FLASH` seconds of each second, else silence. Pure."""

    def __init__(self) -> None:
        self._second = _second() * 2  # twice, so that a frame across the end of the second is one slice
        self._next: int | None = None

    def frame(self, unix: float) -> bytes:
        """Return 20 ms of 16-bit samples from `unix` seconds of the wall clock on.

        Consecutive frames are continuous by sample count, so the tone has no gaps, except where the wall clock was set.
        """
        target = round(unix % 1.0 * RATE) % RATE
        offset = RATE if self._next is None else (target - self._next + RATE // 2) % RATE - RATE // 2
        start = target if self._next is None or abs(offset) > _STEP else self._next
        self._next = (start + FRAME_SAMPLES) % RATE
        return self._second[start * SAMPLE_BYTES : (start + FRAME_SAMPLES) * SAMPLE_BYTES]


def _second() -> bytes:
    beep = (_sample(index / RATE) for index in range(round(FLASH * RATE)))
    return array.array("h", beep).tobytes().ljust(RATE * SAMPLE_BYTES, b"\0")


def _sample(time: float) -> int:
    fade = min(1.0, time / FADE, (FLASH - time) / FADE)
    return round(32767 * LEVEL * fade * math.sin(2 * math.pi * PITCH * time))


class Beep:
    """`ports.AudioSource` that needs no device: `BeepTrack` in Opus, on the same clock as the test picture.

    A frame is delivered when its last sample is due, as a microphone would.
    """

    name = "test"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._thread: SourceThread[OpusFrame] | None = None

    async def open(self, sink: AudioSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`."""
        encoder = await asyncio.to_thread(OpusEncoder, 1)
        self._thread = SourceThread("test-audio", lambda thread: self._run(thread, encoder), sink.frame, sink.failed)
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await thread.close()

    def _run(self, thread: SourceThread[OpusFrame], encoder: OpusEncoder) -> None:
        pace = Pace(self._clock.monotonic() + FRAME, FRAME, TOLERANCE)
        track = BeepTrack()
        skips = SkipCount()
        while True:
            now = self._clock.monotonic()
            index, skipped = pace.next(now)
            if count := skips.add(skipped, now):
                log.warning("overloaded; frames of the test audio skipped: %d", count)
            if not thread.pause(pace.due(index) - now):
                return
            captured = pace.due(index) - FRAME
            data, lead = encoder.encode(track.frame(captured + self._clock.unix() - self._clock.monotonic()))
            thread.deliver(OpusFrame(data, captured + lead))
