"""A sound card whose clock is off, on a machine with moods; and where its sound ends up beside the picture.

Card, machine and time are simulated; sample clock, filters and RTP timeline are the daemon's own.
"""

import array
import random
from collections.abc import Iterator
from dataclasses import dataclass

from broadcaster.devices.microphone.conditioner import Conditioner
from broadcaster.devices.microphone.sample_clock import SampleClock
from broadcaster.devices.opus import FRAME_SAMPLES, RATE
from broadcaster.media.timestamps import AUDIO_RATE, AudioTimeline, RtpClock

START = 100.0
STALL_EVERY, STALL = 47.0, 1.5
"""The processor is away now and then: what was captured meanwhile comes late, all at once."""
LOSS_EVERY, LOSS = 110.0, 0.3
"""Samples are lost now and then."""
BLIND = 1.1
"""Seconds after a loss in which nobody can know whether the samples are lost or late."""
CLICK_EVERY = 2.5
"""Seconds between two clicks; else there is silence."""
_LOUD = 30_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """`samples` reached us at `at`, the first of them was truly captured at `captured`; `blind` as above."""

    at: float
    captured: float
    samples: int
    blind: bool


def card(ppm: float, seconds: float, block: int) -> Iterator[Arrival]:
    """What comes from a card whose clock is fast by so many parts in a million, always the same."""
    dice = random.Random(1)
    rate = RATE * (1 + ppm / 1e6)
    time, stall, loss, lost = START, START + STALL_EVERY, START + LOSS_EVERY, 0.0
    at = 0.0
    while time < START + seconds:
        end = time + block / rate
        if end > stall + STALL:
            stall += STALL_EVERY
        late = stall + STALL - end if end > stall else dice.expovariate(1 / 0.003)
        at = max(at, end + late)
        yield Arrival(at, time, block, blind=time < lost + BLIND)
        time = end
        if time > loss:
            loss += LOSS_EVERY
            time = lost = time + LOSS


def errors(ppm: float, seconds: float) -> Iterator[float]:
    """By how many seconds the sample clock is off, arrival by arrival of 10 ms."""
    clock = SampleClock()
    for arrival in card(ppm, seconds, RATE // 100):
        error = clock.add(arrival.samples, arrival.at) - arrival.captured
        if not arrival.blind:
            yield error


def offsets(ppm: float, seconds: float) -> list[float]:
    """By how many seconds each click is later in the RTP timeline than it was heard, as a picture would show it.

    Arrivals are 0.1 s here, ten times what arecord passes on, which halves the time that it takes.
    """
    clock, conditioner, timeline = SampleClock(), Conditioner(1, 0.0), AudioTimeline(RtpClock(AUDIO_RATE, 0))
    heard: list[tuple[float, bool]] = []
    found: list[float] = []
    for arrival in card(ppm, seconds, RATE // 10):
        pcm = bytes(arrival.samples * 2)
        if arrival.captured >= START + CLICK_EVERY * (len(heard) + 1):
            pcm = _LOUD.to_bytes(2, "little") + pcm[2:]
            heard.append((arrival.captured, arrival.blind))
        for frame, captured in conditioner.push(pcm, clock.add(arrival.samples, arrival.at)):
            stamp = timeline.at(captured)
            if any(frame) and (place := _click(frame)) is not None:
                found.append((stamp + place) / AUDIO_RATE)
    return [off for click in found if (off := _offset(click, heard)) is not None]


def _click(frame: bytes) -> int | None:
    """Where the click is; a resampled one has small waves around it, which may reach into other frames."""
    samples = array.array("h", frame)
    assert len(samples) == FRAME_SAMPLES
    place = max(range(FRAME_SAMPLES), key=lambda place: abs(samples[place]))
    return place if abs(samples[place]) > _LOUD // 4 else None


def _offset(click: float, heard: list[tuple[float, bool]]) -> float | None:
    """How far from the click that it must be; None if that was in a blind moment."""
    moment, blind = min(heard, key=lambda one: abs(one[0] - click))
    return None if blind else click - moment
