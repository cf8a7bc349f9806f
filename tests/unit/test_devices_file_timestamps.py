from dataclasses import dataclass
from fractions import Fraction

import pytest

from broadcaster.devices.file.timestamps import ClockCorrection, TimestampReader, to_seconds

VIDEO, AUDIO = 0, 1


@dataclass
class Item:
    pts: int | None
    dts: int | None = None
    duration: int | None = None
    time_base: Fraction | None = Fraction(1, 100)


def corrected(times, *, may_jump):
    clock = ClockCorrection(may_jump=may_jump)
    return clock, [time + clock.shift(VIDEO, time, 0.04) for time in times]


def test_missing_timestamps_are_extrapolated():
    reader = TimestampReader(0.04)
    items = [Item(None), Item(None), Item(50, duration=10), Item(None), Item(None, dts=200)]
    assert [reader.read(item) for item in items] == pytest.approx([0.0, 0.04, 0.5, 0.6, 2.0])
    assert reader.end == pytest.approx(2.04)
    assert to_seconds(None, Fraction(1, 2)) is to_seconds(1, None) is None


@pytest.mark.parametrize("may_jump", [True, False])
def test_clock_reset_is_corrected(may_jump):
    clock, times = corrected([3600.0, 3600.04, 3600.08, 0.0, 0.04, 0.08], may_jump=may_jump)
    assert times == pytest.approx([3600 + index * 0.04 for index in range(6)])
    assert clock.jumped


def test_forward_jump_is_corrected_in_formats_that_may_jump():
    _, times = corrected([0.0, 0.04, 5000.0, 5000.04], may_jump=True)
    assert times == pytest.approx([0.0, 0.04, 0.08, 0.12])


@pytest.mark.parametrize("may_jump", [True, False])
def test_pause_is_kept(may_jump):
    clock, times = corrected([0.0, 0.04, 8.0, 8.04], may_jump=may_jump)
    assert times == [0.0, 0.04, 8.0, 8.04]
    assert not clock.jumped


def test_long_pause_is_kept_in_formats_that_cannot_jump():
    assert corrected([0.0, 300.0, 600.0], may_jump=False)[1] == [0.0, 300.0, 600.0]


def test_small_backward_step_is_kept():
    clock, times = corrected([0.0, 0.04, 0.03, 0.12], may_jump=True)
    assert times == [0.0, 0.04, 0.03, 0.12]
    assert not clock.jumped


@pytest.mark.parametrize("may_jump", [True, False])
def test_streams_stay_in_sync_when_they_jump_at_different_packets(may_jump):
    clock = ClockCorrection(may_jump=may_jump)
    packets = [
        (VIDEO, 99.96),
        (AUDIO, 99.90),
        (VIDEO, 0.0),  # the clock of the video is reset
        (AUDIO, 99.94),
        (VIDEO, 0.04),
        (AUDIO, 99.98),
        (AUDIO, 0.02),
        (VIDEO, 0.08),
    ]
    times = [time + clock.shift(stream, time, 0.04) for stream, time in packets]
    assert times == pytest.approx([99.96, 99.90, 100.0, 99.94, 100.04, 99.98, 100.02, 100.08])


def test_packets_without_timestamps_get_the_current_shift():
    clock = ClockCorrection(may_jump=True)
    clock.shift(VIDEO, 500.0, 0.04)
    assert clock.shift(AUDIO, None, 0.02) == 0.0
    assert clock.shift(VIDEO, 10.0, 0.04) == pytest.approx(490.04)
    assert clock.shift(AUDIO, None, 0.02) == pytest.approx(490.04)


@pytest.mark.parametrize("may_jump", [True, False])
@pytest.mark.parametrize("distance", [-0.7, 0.7])
def test_streams_may_begin_at_different_times(may_jump, distance):
    """A transport stream may contain several pictures before the audio packet that belongs to the first of them."""
    clock = ClockCorrection(may_jump=may_jump)
    for index in range(10):
        clock.shift(VIDEO, 5 + index * 0.04, 0.04)
    assert clock.shift(AUDIO, 5.4 + distance, 0.02) == 0.0
    assert clock.shift(VIDEO, 5.4, 0.04) == 0.0
    assert not clock.jumped


def test_stream_that_begins_late_is_not_shifted():
    clock = ClockCorrection(may_jump=False)
    clock.shift(AUDIO, 0.0, 0.02)
    assert clock.shift(VIDEO, 12.0, 0.04) == 0.0
    assert not clock.jumped
