"""Freezes, and what has caused them."""

from tests.rigs.presented import freezes, frozen_fraction, unprovoked


def presented(*times: int) -> list[list[int] | None]:
    return [[at, number, 0] for number, at in enumerate(times)]


STEADY = presented(*range(0, 1000, 33), *range(1300, 2000, 33))
"""One freeze, from 990 to 1300 ms."""


def test_freezes_are_long_intervals_between_new_frames():
    assert freezes(STEADY, 0, 2) == [(990, 1300)]
    assert frozen_fraction(STEADY, 0, 2) == 0.155
    same = [[at, 0, 0] for at in range(0, 1000, 33)]
    assert freezes(same, 0, 1) == [(0, 1000)]


def test_a_freeze_has_a_cause_if_events_were_late_before_or_during_it():
    frozen = [(1000, 1300)]
    regular = list(range(0, 2000, 10))
    for late, own in [
        ((700, 795), frozen),
        ((750, 801), []),
        ((1100, 1200), []),
        ((1290, 1350), []),
        ((1300, 1400), frozen),
    ]:
        first, last = late
        assert unprovoked(frozen, [at for at in regular if not first < at < last], 10) == own, late
    assert unprovoked(frozen, regular, 10) == frozen
