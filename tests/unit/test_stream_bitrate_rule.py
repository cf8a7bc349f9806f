"""The rule for the encoder's bit rate, tested with traces of bandwidth estimates."""

from __future__ import annotations

import pytest

from broadcaster.stream.bitrate import BitrateRule

LOWEST, HIGHEST = 300_000, 2_500_000


def run(rule: BitrateRule, *estimates: list[int]) -> int:
    for step in estimates:
        rule.step(sorted(step))
    return rule.rate


def test_rate_starts_at_the_highest_and_stays_there_while_estimates_are_high():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert rule.step([]) is None
    assert rule.step([5_000_000] * 3) is None
    assert rule.rate == HIGHEST


def test_fall_is_followed_in_one_step():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert run(rule, [500_000]) == 450_000


def test_rate_falls_and_never_rises_between_steps():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert rule.fall([HIGHEST]) is None
    assert rule.fall([1_000_000]) == 900_000
    assert rule.fall([4_000_000]) is None
    assert rule.fall([640_000]) is None
    assert rule.fall([]) is None
    assert rule.rate == 900_000


def test_rate_stays_within_its_limits():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert run(rule, [10_000]) == LOWEST
    assert run(rule, *[[90_000_000]] * 60) == HIGHEST


def test_rate_rises_slowly_and_recovers_within_forty_seconds():
    rule = BitrateRule(LOWEST, HIGHEST)
    low = run(rule, [500_000])
    assert run(rule, [4_000_000]) <= low * 1.081
    assert run(rule, *[[4_000_000]] * 39) >= 0.8 * HIGHEST


def test_one_outlier_among_three_is_ignored():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert run(rule, [100_000, 4_000_000, 4_000_000]) == HIGHEST
    assert run(rule, [100_000, 900_000, 4_000_000]) == 810_000


def test_lowest_tenth_of_many_viewers_is_ignored():
    rule = BitrateRule(LOWEST, HIGHEST)
    assert run(rule, [100_000] * 2 + [1_000_000] * 28) == 900_000


def test_small_changes_are_not_applied():
    rule = BitrateRule(LOWEST, HIGHEST)
    run(rule, [1_000_000])
    assert rule.step([930_000]) is None
    assert rule.step([860_000]) is None


def test_limits_in_the_wrong_order_mean_a_constant_rate():
    assert run(BitrateRule(3_000_000, HIGHEST), [100_000]) == HIGHEST


@pytest.mark.parametrize("highest", range(400_000, 6_100_000, 100_000))
def test_overload_leads_to_the_lowest_rate_from_any_rate(highest):
    for lowest in (50_000, LOWEST, highest - 40_000, highest):
        rule = BitrateRule(lowest, highest)
        for _ in range(40):
            rule.step([], overloaded=True)
        assert rule.rate == lowest


def test_overload_lowers_the_rate_whatever_the_viewers_can_receive():
    rule = BitrateRule(LOWEST, HIGHEST)
    rates = [rule.step([10 * HIGHEST], overloaded=True) for _ in range(20)]
    steps = [rate for rate in rates if rate is not None]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == rule.rate == LOWEST
    assert steps[2] < HIGHEST / 2
    assert rule.step([10 * HIGHEST]) > LOWEST


def test_minority_on_slow_networks_does_not_lower_the_full_rendition_while_there_is_a_small_one():
    rule = BitrateRule(LOWEST, HIGHEST, small=400_000)
    for estimates in ([700_000, 5_000_000], [300_000, 700_000, 5_000_000, 5_000_000, 5_000_000]):
        assert rule.step(estimates, has_small=True) is None
        assert rule.fall(estimates, has_small=True) is None


def test_full_rendition_follows_the_majority_whose_network_is_this_machine_s():
    rule = BitrateRule(LOWEST, HIGHEST, small=400_000)
    assert rule.step([1_000_000, 1_000_000, 5_000_000], has_small=True) == 900_000


def test_full_rendition_does_not_follow_viewers_whom_the_small_one_serves():
    rule = BitrateRule(LOWEST, HIGHEST, small=400_000)
    for _ in range(20):
        rule.step([100_000], has_small=True)
    assert 0.9 * 800_000 <= rule.rate <= 800_000
    for _ in range(20):
        rule.step([100_000], has_small=False)
    assert rule.rate == LOWEST


def test_overload_lowers_the_full_rendition_to_the_lowest_rate_although_there_is_a_small_one():
    rule = BitrateRule(LOWEST, HIGHEST, small=400_000)
    for _ in range(40):
        rule.step([10 * HIGHEST], overloaded=True, has_small=True)
    assert rule.rate == LOWEST


def test_proven_estimates_raise_the_rate_within_ten_steps():
    rule = BitrateRule(LOWEST, HIGHEST)
    run(rule, [500_000])
    for _ in range(10):
        rule.step([HIGHEST], proven=True)
    assert rule.rate == HIGHEST
