"""What a machine that cannot keep up does about it, look by look."""

from __future__ import annotations

import pytest

from broadcaster.stream.load import MAX_LAG, MAX_REFUSED, PATIENCE, RELIEF, LoadRule, LoadSample

EASY = LoadSample(lag=MAX_LAG, refused=MAX_REFUSED, can_fall=True)
LATE_LOOP = LoadSample(lag=MAX_LAG * 1.1, refused=0.0, can_fall=True)
FULL_SOCKETS = LoadSample(lag=0.0, refused=MAX_REFUSED * 1.1, can_fall=True)
AT_THE_END = LoadSample(lag=1.0, refused=0.0, can_fall=False)


def after(*looks: LoadSample) -> LoadRule:
    rule = LoadRule()
    for look in looks:
        rule.step(look)
    return rule


@pytest.mark.parametrize("look", [LATE_LOOP, FULL_SOCKETS])
def test_the_rate_falls_when_it_lasts(look):
    assert not after(*[look] * (PATIENCE - 1)).overloaded
    rule = after(*[look] * 60)
    assert rule.overloaded
    assert not rule.refuses, "as long as the rate can fall"
    rule.step(EASY)
    assert not rule.overloaded


def test_a_moment_is_no_strain():
    rule = after(*[LATE_LOOP, LATE_LOOP, EASY] * 20)
    assert not rule.overloaded
    assert not rule.refuses


def test_newcomers_are_refused_when_the_rate_cannot_fall_and_let_in_after_a_while():
    rule = after(*[AT_THE_END] * PATIENCE)
    assert rule.refuses
    for _ in range(RELIEF - 1):
        rule.step(EASY)
        assert rule.refuses
    rule.step(EASY)
    assert not rule.refuses


def test_relief_is_counted_in_a_row():
    rule = after(*[AT_THE_END] * PATIENCE, *[EASY] * (RELIEF - 1), AT_THE_END, *[EASY] * (RELIEF - 1))
    assert rule.refuses
