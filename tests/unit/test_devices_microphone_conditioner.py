"""Gain, framing and resampling with the real filters."""

import array
import math
from functools import cache
from itertools import pairwise

import pytest

from broadcaster.devices.microphone.conditioner import HARD_CORRECTION, MAX_STRETCH, Conditioner
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES, RATE

BLOCK = RATE // 100


@cache
def tone(count: int, first: int, peak: int = 8000) -> bytes:
    return array.array(
        "h", (round(peak * math.sin(math.tau * 440 * (first + i) / RATE)) for i in range(count))
    ).tobytes()


def run(conditioner: Conditioner, seconds: float, *, speed: float = 1.0, begin: float = 10.0, peak: int = 8000):
    """Return frames of a tone captured from `begin` on, by a card that runs at `speed` times the nominal rate."""
    frames = []
    for index in range(round(seconds * 100)):
        frames += conditioner.push(tone(BLOCK, index * BLOCK % RATE, peak), begin + index * 0.01 / speed)
    return frames


def peak(frames) -> int:
    return max(max(array.array("h", pcm)) for pcm, _ in frames)


def test_frames_are_20_ms_and_evenly_spaced():
    frames = run(Conditioner(1, 0.0), 1)
    assert {len(pcm) for pcm, _ in frames} == {FRAME_SAMPLES * 2}
    assert [captured for _, captured in frames] == pytest.approx([10 + FRAME * index for index in range(len(frames))])
    assert len(frames) in (49, 50)
    assert peak(frames) == pytest.approx(8000, rel=0.01)


@pytest.mark.parametrize(("gain", "factor"), [(6.0, 2.0), (-6.0, 0.5), (-30.0, 0.032), (20.0, 4.096)])
def test_gain_saturates_without_overflow(gain, factor):
    assert peak(run(Conditioner(1, gain), 0.3)) == pytest.approx(8000 * factor, rel=0.05)


def test_channels_are_not_mixed():
    left_only = b"".join(tone(BLOCK, 0)[i : i + 2] + b"\0\0" for i in range(0, BLOCK * 2, 2))
    conditioner = Conditioner(2, 0.0)
    frames = [frame for index in range(10) for frame in conditioner.push(left_only, 5.0 + index * 0.01)]
    samples = array.array("h", frames[2][0])
    assert len(samples) == FRAME_SAMPLES * 2
    assert max(samples[0::2]) > 7000
    assert set(samples[1::2]) == {0}


@pytest.mark.parametrize("speed", [1 + MAX_STRETCH / 2, 1 - MAX_STRETCH / 2])
def test_clock_error_is_compensated_without_discontinuity(speed):
    frames = run(Conditioner(1, 0.0), 15, speed=speed)
    assert len(frames) == pytest.approx(15 / speed / FRAME, abs=1.01)
    samples = array.array("h", b"".join(pcm for pcm, _ in frames))
    steepest = 8000 * math.tau * 440 / RATE
    assert max(abs(b - a) for a, b in pairwise(samples)) < steepest * 1.05


def test_missing_samples_become_silence_and_surplus_is_dropped():
    conditioner = Conditioner(1, 0.0)
    run(conditioner, 0.2)
    resumed = 10.2 + 5 * HARD_CORRECTION
    after = [frame for index in range(20) for frame in conditioner.push(tone(BLOCK, 0), resumed + index * 0.01)]
    assert any(pcm.count(0) > len(pcm) * 0.9 for pcm, _ in after)
    assert after[-1][1] == pytest.approx(resumed + 0.2 - FRAME, abs=FRAME)
    back = [frame for index in range(20) for frame in conditioner.push(tone(BLOCK, 0), 10.4 + index * 0.01)]
    assert back[-1][1] == pytest.approx(10.6 - FRAME, abs=FRAME)
