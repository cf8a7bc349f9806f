"""When pictures and Opus frames are in an MP4: each sample's time and duration, from their capture times.

Players take a picture that comes later than twice the duration of the one before it for a new beginning, and drop
everything up to the next keyframe (Media Source Extensions §3.5.8). So a duration is never guessed: a picture becomes a
sample when the next one has come. The same holds for audio, so it has no gaps: silence fills them.
"""

from __future__ import annotations

from broadcaster.media.mp4 import Sample, length_prefixed
from broadcaster.media.timestamps import AUDIO_RATE, OPUS_FRAME_TICKS, VIDEO_RATE
from broadcaster.model.stream import AccessUnit, OpusFrame

STALL = 1.0
"""Seconds after which a picture does not wait for the next one any longer."""

SILENCE = b"\xf8\xff\xfe"
"""An Opus packet of 20 ms of silence: CELT, fullband, mono (RFC 6716 §3.1)."""

MAX_SILENCE = 100
"""Frames of silence that fill one gap; after a longer one, the audio goes on at its own time."""


class VideoTiming:
    """Makes samples of access units, each as soon as its duration is known; `base` is the time zero in seconds."""

    def __init__(self, base: float) -> None:
        self._base = base
        self._waiting: AccessUnit | None = None
        self._time = -1
        self._end = -1

    def add(self, unit: AccessUnit) -> Sample | None:
        """Take the next access unit; return the sample of the one before, or None if there is none.

        A capture time that goes back counts as one tick later than the last.
        """
        time = max(round((unit.captured - self._base) * VIDEO_RATE), self._time + 1, self._end)
        sample = self._sample(time - self._time)
        self._waiting, self._time = unit, time
        return sample

    def flush(self) -> Sample | None:
        """Return the waiting picture with the duration `STALL`, because the next one does not come."""
        sample = self._sample(round(STALL * VIDEO_RATE))
        if sample is not None:
            self._end = self._time + sample.duration
        self._waiting = None
        return sample

    def follows(self, unit: AccessUnit) -> bool:
        """Return whether players go on with this picture even if it is no keyframe: not after a long pause."""
        pause = round((unit.captured - self._base) * VIDEO_RATE) - self._time
        return self._waiting is not None or pause <= 2 * STALL * VIDEO_RATE

    def _sample(self, duration: int) -> Sample | None:
        unit = self._waiting
        if unit is None:
            return None
        return Sample(length_prefixed(unit.data), self._time, duration, unit.keyframe)


class AudioTiming:
    """Makes samples of Opus frames, which follow each other exactly; `base` is the time zero in seconds."""

    def __init__(self, base: float) -> None:
        self._base = base
        self._next = 0
        self._begun = False
        self._waits_since: int | None = None

    def add(self, frame: OpusFrame) -> list[Sample]:
        """Return the sample of this frame, after the silence that it needs; nothing if it comes too early.

        A frame is moved by up to half its duration, so that it begins where the one before ends.
        """
        time = self._ticks(frame.captured)
        missing = round((time - self._next) / OPUS_FRAME_TICKS) if self._begun else 0
        if missing < 0 or time < 0:
            return []
        if not self._begun or missing > MAX_SILENCE:
            self._next, missing = time, 0
        return [self._sample(SILENCE) for _ in range(missing)] + [self._sample(frame.data)]

    def fill(self, until: float) -> list[Sample]:
        """Return silence up to a capture time, because no frames come; before the first one, from the first call on."""
        end = self._ticks(until)
        if not self._begun and self._waits_since is None:
            self._next = self._waits_since = max(end, 0)
        if end - self._next > MAX_SILENCE * OPUS_FRAME_TICKS:
            self._next = end
        return [self._sample(SILENCE) for _ in range((end - self._next) // OPUS_FRAME_TICKS)]

    def _ticks(self, captured: float) -> int:
        return round((captured - self._base) * AUDIO_RATE)

    def _sample(self, data: bytes) -> Sample:
        self._begun = True
        time = self._next
        self._next += OPUS_FRAME_TICKS
        return Sample(data, time, OPUS_FRAME_TICKS)
