"""The clock of a sound card against the monotonic clock."""

from itertools import islice

import pytest

from broadcaster.devices.microphone.sample_clock import DRIFT, GAP, LEAD, WINDOW, SampleClock
from broadcaster.devices.opus import RATE
from tests.rigs.sound_card import card, errors, offsets

LIP_SYNC = 0.040
"""Maximum offset in seconds between audio and video."""
BLOCK = RATE // 100


class Arrivals:
    """Samples in blocks of 10 ms, by a card with an exact clock unless `speed` is given."""

    def __init__(self) -> None:
        self.clock = SampleClock()
        self.time = 50.0

    def run(self, seconds: float, *, late: float = 0.0, speed: float = 1.0) -> float:
        """Return the error of the last block's capture time in seconds."""
        for _ in range(round(seconds * speed * 100)):
            self.time += 0.01 / speed
            captured = self.clock.add(BLOCK, self.time + late)
        return captured - (self.time - 0.01)

    def lose(self, seconds: float) -> None:
        self.time += seconds


def test_simulated_card_has_the_given_clock_error():
    first, second = islice(card(200, 60, RATE), 2)
    assert second.captured - first.captured == pytest.approx(1 - 200e-6, abs=1e-7)


@pytest.mark.parametrize("ppm", [200, -200])
def test_clock_error_is_compensated_for_an_hour(ppm):
    results = list(errors(ppm, 3600))
    assert len(results) > 350_000
    assert max(map(abs, results)) < 0.005


@pytest.mark.parametrize("ppm", [200, -200])
def test_clicks_are_in_sync_in_the_rtp_timeline(ppm):
    results = offsets(ppm, 250)
    assert len(results) > 90
    assert max(map(abs, results)) < LIP_SYNC / 4


def test_jitter_does_not_move_the_clock():
    arrivals = Arrivals()
    arrivals.run(1)
    for _ in range(100):
        arrivals.run(0.2, late=0.1)
        assert abs(arrivals.run(0.01)) < 0.002


def test_early_arrival_is_followed_at_once():
    arrivals = Arrivals()
    arrivals.run(1, late=0.3)
    assert arrivals.run(0.01) == pytest.approx(0)


def test_lost_samples_are_detected_within_two_windows():
    arrivals = Arrivals()
    arrivals.run(2)
    arrivals.lose(0.3)
    assert arrivals.run(2 * WINDOW) == pytest.approx(0)
    assert arrivals.clock.missing == pytest.approx(0.3)


def test_small_loss_is_corrected_slowly():
    arrivals = Arrivals()
    arrivals.run(2)
    arrivals.lose(GAP / 2)
    assert arrivals.run(1) == pytest.approx(-GAP / 2, abs=2 * DRIFT)
    assert arrivals.run(GAP / 2 / DRIFT + 1) == pytest.approx(0)
    assert arrivals.clock.missing == 0


def test_stall_without_loss_is_no_gap():
    arrivals = Arrivals()
    arrivals.run(2.3)
    for waiting in range(150, -1, -1):
        arrivals.run(0.01, late=waiting / 100)
    assert arrivals.clock.missing == 0
    assert abs(arrivals.run(0.01)) < 0.002


@pytest.mark.parametrize(("speed", "limit"), [(50.0, 0.1), (2.0, 2.0), (48 / 44.1, 20.0)])
def test_faster_than_real_time_is_detected(speed, limit):
    arrivals = Arrivals()
    arrivals.run(1)
    arrivals.run(limit, speed=speed)
    assert arrivals.clock.too_fast


def test_drift_and_late_start_are_not_too_fast():
    arrivals = Arrivals()
    arrivals.run(0.5, late=0.9 * LEAD)
    arrivals.run(600, speed=1.0005)
    assert not arrivals.clock.too_fast
