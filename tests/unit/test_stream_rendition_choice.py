"""The choice of a viewer's rendition, by traces of congestion and calm."""

from __future__ import annotations

import random

import pytest

from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.stream.attempts import LONGEST_PROBE_WAIT, LONGEST_WAIT
from broadcaster.stream.rendition_choice import FIRST_WAIT, HEADROOM, RELAPSE, RenditionChoice

RATE = 400_000
WIDE = round(RATE * HEADROOM)


def is_due(choice: RenditionChoice, now: float, *, is_well: bool = True, estimate: int | None = WIDE) -> bool:
    return choice.is_attempt_due(is_well=is_well, estimate=estimate, rate=RATE, now=now)


def next_attempt(choice: RenditionChoice, now: float, **viewer) -> float:
    """Return when the next attempt is due, from `now` on."""
    began = now
    while not is_due(choice, now, **viewer):
        now = round(now + 0.1, 1)
        assert now < began + 10 * LONGEST_WAIT
    return now


def test_congestion_leads_to_the_small_rendition_first():
    choice = RenditionChoice()
    assert choice.congested(1.0)
    assert choice.quality is Quality.SMALL
    assert not choice.congested(2.0)


def test_attempt_to_return_follows_a_calm_time():
    choice = RenditionChoice()
    choice.congested(0.0)
    assert next_attempt(choice, 1.0) == pytest.approx(1.0 + FIRST_WAIT, abs=0.2)


def test_calm_time_begins_again_whenever_the_viewer_does_not_keep_up():
    choice = RenditionChoice()
    choice.congested(0.0)
    is_due(choice, 1.0)
    is_due(choice, 4.0, is_well=False)
    assert next_attempt(choice, 5.0) == pytest.approx(5.0 + FIRST_WAIT, abs=0.2)


def test_no_attempt_without_headroom_in_the_bandwidth_estimate():
    choice = RenditionChoice()
    choice.congested(0.0)
    for second in range(1, 100):
        assert not is_due(choice, second, estimate=WIDE - 10_000)
    assert is_due(choice, 100)


def test_viewer_without_bandwidth_estimate_gets_its_attempt():
    choice = RenditionChoice()
    choice.congested(0.0)
    next_attempt(choice, 1.0, estimate=None)


def test_failed_probes_double_the_wait_within_a_limit():
    choice = RenditionChoice()
    choice.congested(0.0)
    now, waits = 0.0, []
    for _ in range(7):
        at = next_attempt(choice, now)
        waits.append(round(at - now))
        choice.attempt_ended(passed=False, now=at)
        now = at
    assert waits == [min(FIRST_WAIT * 2**count, LONGEST_PROBE_WAIT) for count in range(7)]


def test_return_that_ends_in_congestion_soon_counts_as_a_failed_attempt():
    choice = RenditionChoice()
    choice.congested(0.0)
    at = next_attempt(choice, 0.0)
    choice.attempt_ended(passed=True, now=at)
    assert choice.quality is Quality.FULL
    choice.congested(at + RELAPSE / 2)
    again = next_attempt(choice, at + RELAPSE / 2)
    assert again - (at + RELAPSE / 2) == pytest.approx(2 * FIRST_WAIT, abs=0.2)


def test_wait_is_short_again_after_a_return_that_lasted():
    choice = RenditionChoice()
    choice.congested(0.0)
    choice.attempt_ended(passed=False, now=10.0)
    choice.attempt_ended(passed=True, now=30.0)
    choice.congested(30.0 + RELAPSE)
    assert next_attempt(choice, 70.0) == pytest.approx(70.0 + FIRST_WAIT, abs=0.2)


def test_chosen_rendition_is_kept():
    choice = RenditionChoice()
    choice.prefer(QualityPreference.SMALL, 0.0)
    assert choice.quality is Quality.SMALL
    assert not any(is_due(choice, second) for second in range(100))
    choice.prefer(QualityPreference.FULL, 100.0)
    assert choice.quality is Quality.FULL
    assert not choice.congested(101.0)


def test_auto_after_a_choice_goes_on_from_there():
    choice = RenditionChoice()
    choice.prefer(QualityPreference.SMALL, 0.0)
    choice.prefer(QualityPreference.AUTO, 1.0)
    assert choice.quality is Quality.SMALL
    next_attempt(choice, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_no_trace_changes_the_rendition_more_than_six_times_a_minute(seed):
    dice, choice = random.Random(seed), RenditionChoice()
    changes: list[float] = []
    for step in range(6000):
        now = step / 10
        before = choice.quality
        if dice.random() < (0.5 if choice.quality is Quality.FULL else 0.001):
            choice.congested(now)
        elif is_due(choice, now):
            choice.attempt_ended(passed=dice.random() < 0.9, now=now)
        if choice.quality is not before:
            changes.append(now)
    assert len(changes) > 6
    assert all(later - earlier >= 60 for earlier, later in zip(changes, changes[6:], strict=False))
