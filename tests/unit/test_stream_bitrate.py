"""The encoder's rate, by traces of what viewers can carry."""

from __future__ import annotations

import pytest

from broadcaster.stream.bitrate import RateRule

LOWEST, HIGHEST = 300_000, 2_500_000


def run(rule: RateRule, *carried: list[int]) -> int:
    for step in carried:
        rule.step(sorted(step))
    return rule.rate


def test_it_begins_at_the_full_rate_and_stays_there_while_all_is_well():
    rule = RateRule(LOWEST, HIGHEST)
    assert rule.step([]) is None
    assert rule.step([5_000_000] * 3) is None
    assert rule.rate == HIGHEST


def test_a_fall_is_followed_in_one_step():
    rule = RateRule(LOWEST, HIGHEST)
    assert run(rule, [500_000]) == 450_000


def test_between_two_steps_it_falls_and_never_climbs():
    rule = RateRule(LOWEST, HIGHEST)
    assert rule.fall([HIGHEST]) is None
    assert rule.fall([1_000_000]) == 900_000
    assert rule.fall([4_000_000]) is None
    assert rule.fall([640_000]) is None
    assert rule.fall([]) is None
    assert rule.rate == 900_000


def test_it_never_leaves_its_limits():
    rule = RateRule(LOWEST, HIGHEST)
    assert run(rule, [10_000]) == LOWEST
    assert run(rule, *[[90_000_000]] * 60) == HIGHEST


def test_it_climbs_slowly_and_is_back_within_forty_seconds():
    rule = RateRule(LOWEST, HIGHEST)
    low = run(rule, [500_000])
    assert run(rule, [4_000_000]) <= low * 1.081
    assert run(rule, *[[4_000_000]] * 39) >= 0.8 * HIGHEST


def test_one_outlier_among_three_is_not_heard():
    rule = RateRule(LOWEST, HIGHEST)
    assert run(rule, [100_000, 4_000_000, 4_000_000]) == HIGHEST
    assert run(rule, [100_000, 900_000, 4_000_000]) == 810_000


def test_of_many_the_tenth_part_decides():
    rule = RateRule(LOWEST, HIGHEST)
    assert run(rule, [100_000] * 2 + [1_000_000] * 28) == 900_000


def test_small_changes_leave_the_encoder_alone():
    rule = RateRule(LOWEST, HIGHEST)
    run(rule, [1_000_000])
    assert rule.step([930_000]) is None
    assert rule.step([860_000]) is None


def test_bounds_in_the_wrong_order_mean_a_constant_rate():
    assert run(RateRule(3_000_000, HIGHEST), [100_000]) == HIGHEST


@pytest.mark.parametrize("highest", range(400_000, 6_100_000, 100_000))
def test_a_strained_machine_gets_to_the_lowest_rate_from_wherever_it_is(highest):
    for lowest in (50_000, LOWEST, highest - 40_000, highest):
        rule = RateRule(lowest, highest)
        for _ in range(40):
            rule.step([], overloaded=True)
        assert rule.rate == lowest


def test_a_strained_machine_goes_down_whatever_the_viewers_carry_to_the_lowest_and_no_further():
    rule = RateRule(LOWEST, HIGHEST)
    rates = [rule.step([10 * HIGHEST], overloaded=True) for _ in range(20)]
    steps = [rate for rate in rates if rate is not None]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == rule.rate == LOWEST
    assert steps[2] < HIGHEST / 2
    assert rule.step([10 * HIGHEST]) > LOWEST
