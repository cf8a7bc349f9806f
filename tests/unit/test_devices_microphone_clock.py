"""The sound card's clock against the monotonic one."""

from itertools import islice

import pytest

from broadcaster.devices.microphone.sample_clock import DRIFT, GAP, LEAD, WINDOW, SampleClock
from broadcaster.devices.opus import RATE
from tests.rigs.sound_card import card, errors, offsets

LIPS = 0.040
"""Seconds within which sound and picture must stay."""
BLOCK = RATE // 100


class Arrivals:
    """Samples in blocks of 10 ms, by a card that keeps time unless told otherwise."""

    def __init__(self) -> None:
        self.clock = SampleClock()
        self.time = 50.0

    def run(self, seconds: float, *, late: float = 0.0, speed: float = 1.0) -> float:
        """By how much the last block's time is off, in seconds."""
        for _ in range(round(seconds * speed * 100)):
            self.time += 0.01 / speed
            captured = self.clock.add(BLOCK, self.time + late)
        return captured - (self.time - 0.01)

    def lose(self, seconds: float) -> None:
        self.time += seconds


def test_the_rig_is_off_by_as_much_as_it_says():
    first, second = islice(card(200, 60, RATE), 2)
    assert second.captured - first.captured == pytest.approx(1 - 200e-6, abs=1e-7)


@pytest.mark.parametrize("ppm", [200, -200])
def test_an_hour_with_a_clock_that_is_off_stays_in_step(ppm):
    found = list(errors(ppm, 3600))
    assert len(found) > 350_000
    assert max(map(abs, found)) < 0.005


@pytest.mark.parametrize("ppm", [200, -200])
def test_clicks_stand_in_the_rtp_timeline_where_they_were_heard(ppm):
    found = offsets(ppm, 250)
    assert len(found) > 90
    assert max(map(abs, found)) < LIPS / 4


def test_jitter_is_not_taken_for_time():
    arrivals = Arrivals()
    arrivals.run(1)
    for _ in range(100):
        arrivals.run(0.2, late=0.1)
        assert abs(arrivals.run(0.01)) < 0.002


def test_what_comes_early_is_followed_at_once():
    arrivals = Arrivals()
    arrivals.run(1, late=0.3)
    assert arrivals.run(0.01) == pytest.approx(0)


def test_lost_samples_are_found_within_two_windows():
    arrivals = Arrivals()
    arrivals.run(2)
    arrivals.lose(0.3)
    assert arrivals.run(2 * WINDOW) == pytest.approx(0)
    assert arrivals.clock.missing == pytest.approx(0.3)


def test_a_small_loss_is_caught_up_with_slowly():
    arrivals = Arrivals()
    arrivals.run(2)
    arrivals.lose(GAP / 2)
    assert arrivals.run(1) == pytest.approx(-GAP / 2, abs=2 * DRIFT)
    assert arrivals.run(GAP / 2 / DRIFT + 1) == pytest.approx(0)
    assert arrivals.clock.missing == 0


def test_a_stall_that_is_caught_up_with_costs_nothing():
    arrivals = Arrivals()
    arrivals.run(2.3)
    for waiting in range(150, -1, -1):
        arrivals.run(0.01, late=waiting / 100)
    assert arrivals.clock.missing == 0
    assert abs(arrivals.run(0.01)) < 0.002


@pytest.mark.parametrize(("speed", "limit"), [(50.0, 0.1), (2.0, 2.0), (48 / 44.1, 20.0)])
def test_faster_than_real_time_is_noticed(speed, limit):
    arrivals = Arrivals()
    arrivals.run(1)
    arrivals.run(limit, speed=speed)
    assert arrivals.clock.too_fast


def test_neither_drift_nor_a_late_start_is_too_fast():
    arrivals = Arrivals()
    arrivals.run(0.5, late=0.9 * LEAD)
    arrivals.run(600, speed=1.0005)
    assert not arrivals.clock.too_fast
