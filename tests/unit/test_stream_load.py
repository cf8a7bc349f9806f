"""The load rule, sample by sample: when the bit rate is lowered and when new viewers are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broadcaster.stream.load import (
    LATE_PATIENCE,
    MAX_DELAY,
    MAX_LAG,
    MAX_REFUSED,
    PATIENCE,
    RELIEF,
    LoadRule,
    LoadSample,
)

NORMAL = LoadSample(lag=MAX_LAG, delay=MAX_DELAY, refused=MAX_REFUSED, can_fall=True)
LAGGING_LOOP = LoadSample(lag=MAX_LAG * 1.1, delay=0.0, refused=0.0, can_fall=True)
LATE_PICTURES = LoadSample(lag=0.0, delay=MAX_DELAY * 1.1, refused=0.0, can_fall=True)
FULL_SOCKETS = LoadSample(lag=0.0, delay=0.0, refused=MAX_REFUSED * 1.1, can_fall=True)
AT_LOWEST_RATE = LoadSample(lag=1.0, delay=0.0, refused=0.0, can_fall=False)


def after(*samples: LoadSample) -> LoadRule:
    rule = LoadRule()
    for sample in samples:
        rule.step(sample)
    return rule


@pytest.mark.parametrize("sample", [LAGGING_LOOP, LATE_PICTURES, FULL_SOCKETS])
def test_lasting_overload_lowers_the_rate(sample):
    assert not after(*[sample] * (PATIENCE - 1)).overloaded
    rule = after(*[sample] * 60)
    assert rule.overloaded
    assert not rule.refuses, "the rate can still be lowered"
    rule.step(NORMAL)
    assert not rule.overloaded


def test_short_peaks_are_no_overload():
    rule = after(*[LAGGING_LOOP, LAGGING_LOOP, NORMAL] * 20)
    assert not rule.overloaded
    assert not rule.refuses


def test_new_viewers_are_refused_at_the_lowest_rate_and_accepted_after_relief():
    rule = after(*[AT_LOWEST_RATE] * PATIENCE)
    assert rule.refuses
    for _ in range(RELIEF - 1):
        rule.step(NORMAL)
        assert rule.refuses
    rule.step(NORMAL)
    assert not rule.refuses


def test_late_pictures_alone_refuse_new_viewers_only_after_a_while():
    late = replace(LATE_PICTURES, can_fall=False)
    rule = after(*[late] * (LATE_PATIENCE - 1))
    assert rule.overloaded
    assert not rule.refuses, "hundreds may have joined at once"
    rule.step(late)
    assert rule.refuses


def test_relief_needs_consecutive_normal_samples():
    rule = after(*[AT_LOWEST_RATE] * PATIENCE, *[NORMAL] * (RELIEF - 1), AT_LOWEST_RATE, *[NORMAL] * (RELIEF - 1))
    assert rule.refuses
