"""A simulated sound card with a clock error, stalls and losses; and the resulting offset between audio and video.

Card, scheduling and time are simulated; sample clock, filters and RTP timeline are the daemon's own.
"""

import array
import random
from collections.abc import Iterator
from dataclasses import dataclass

from broadcaster.devices.microphone.conditioner import Conditioner
from broadcaster.devices.microphone.sample_clock import SampleClock
from broadcaster.devices.opus import FRAME_SAMPLES, RATE
from broadcaster.media.timestamps import AUDIO_RATE, AudioTimeline, RtpClock

START = 1000.0
"""That of `FakeClock`."""
STALL_EVERY, STALL = 47.0, 1.5
"""Seconds between stalls of the process, and their duration: what was captured meanwhile arrives late, at once."""
LOSS_EVERY, LOSS = 110.0, 0.3
"""Seconds between losses of samples, and their duration."""
AMBIGUOUS = 1.1
"""Seconds after a loss in which it is undecidable whether the samples are lost or late."""
CLICK_EVERY = 2.5
"""Seconds between two clicks; the rest is silence."""
_LOUD = 30_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """`samples` arrived at `at`, the first of them was captured at `captured`; `ambiguous` shortly after a loss."""

    at: float
    captured: float
    samples: int
    ambiguous: bool


def card(ppm: float, seconds: float, block: int) -> Iterator[Arrival]:
    """Yield the arrivals from a card whose clock is fast by `ppm`; deterministic."""
    generator = random.Random(1)
    rate = RATE * (1 + ppm / 1e6)
    time, stall, loss, lost = START, START + STALL_EVERY, START + LOSS_EVERY, 0.0
    at = 0.0
    while time < START + seconds:
        end = time + block / rate
        if end > stall + STALL:
            stall += STALL_EVERY
        late = stall + STALL - end if end > stall else generator.expovariate(1 / 0.003)
        at = max(at, end + late)
        yield Arrival(at, time, block, ambiguous=time < lost + AMBIGUOUS)
        time = end
        if time > loss:
            loss += LOSS_EVERY
            time = lost = time + LOSS


def errors(ppm: float, seconds: float) -> Iterator[float]:
    """Yield the errors of the sample clock in seconds, for arrivals of 10 ms."""
    clock = SampleClock()
    for arrival in card(ppm, seconds, RATE // 100):
        error = clock.add(arrival.samples, arrival.at) - arrival.captured
        if not arrival.ambiguous:
            yield error


class ClickingCard:
    """A card that hears silence with a click now and then, and the daemon's 20 ms frames of it.

    Arrivals are 0.1 s here, ten times arecord's period, which halves the duration of the test.
    """

    def __init__(self, ppm: float, seconds: float) -> None:
        self._arrivals = card(ppm, seconds, RATE // 10)
        self._clicks: list[tuple[float, bool]] = []

    def frames(self) -> Iterator[tuple[float, bytes, float]]:
        """Yield when each frame is complete, its samples and its capture time, on the monotonic clock."""
        clock, conditioner = SampleClock(), Conditioner(1, 0.0)
        for arrival in self._arrivals:
            pcm = bytes(arrival.samples * 2)
            if arrival.captured >= START + CLICK_EVERY * (len(self._clicks) + 1):
                pcm = _LOUD.to_bytes(2, "little") + pcm[2:]
                self._clicks.append((arrival.captured, arrival.ambiguous))
            for frame, captured in conditioner.push(pcm, clock.add(arrival.samples, arrival.at)):
                yield arrival.at, frame, captured

    def offset(self, click: float) -> float | None:
        """Return by how many seconds a click is later than the card heard it; None shortly after a loss."""
        moment, ambiguous = min(self._clicks, key=lambda candidate: abs(candidate[0] - click))
        return None if ambiguous else click - moment


def offsets(ppm: float, seconds: float) -> list[float]:
    """Return by how many seconds each click is later in the RTP timeline than it was captured."""
    clicking, timeline, found = ClickingCard(ppm, seconds), AudioTimeline(RtpClock(AUDIO_RATE, 0)), []
    for _, frame, captured in clicking.frames():
        stamp = timeline.at(captured)
        if (index := click_in(frame)) is not None:
            found.append(clicking.offset((stamp + index) / AUDIO_RATE))
    return [offset for offset in found if offset is not None]


def click_in(frame: bytes) -> int | None:
    """Return the sample index of the click; a resampled one has ripples, which may reach into other frames."""
    if frame.count(0) == len(frame):
        return None
    samples = array.array("h", frame)
    assert len(samples) == FRAME_SAMPLES
    index = max(range(FRAME_SAMPLES), key=lambda index: abs(samples[index]))
    return index if abs(samples[index]) > _LOUD // 4 else None
