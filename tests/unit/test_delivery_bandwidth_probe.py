"""The pace of a bandwidth probe, receiver report by receiver report."""

from __future__ import annotations

import pytest

from broadcaster.delivery.bandwidth_probe import FIRST_SHARE, HIGHEST_SHARE, LONG_STEP, SLOWEST, STEP, BandwidthProbe

RATE = 2_400_000.0
FIRST = RATE * FIRST_SHARE
ROUND_TRIP = 0.02
STEP_DUE = STEP + ROUND_TRIP + 0.001


class ProbeDriver:
    """Alternates between sending ten packets and receiving a report."""

    def __init__(self, rate: float = RATE, first_pace: float = RATE) -> None:
        self.now = 100.0
        self.lost = 0
        self.probe = BandwidthProbe(rate, first_pace, self.now)

    def step(self, in_flight: int = 0, *, lost: int = 0, seconds: float = STEP_DUE) -> float:
        """Send, receive a report after `seconds`, and return the new pace."""
        self.now += seconds
        self.lost += lost
        self.probe.sent(10)
        self.probe.report(self.lost, in_flight, ROUND_TRIP, RATE, self.now)
        return self.probe.pace


def test_initial_pace_is_low_but_not_below_the_minimum():
    assert BandwidthProbe(RATE, RATE, 0).pace == FIRST
    assert BandwidthProbe(RATE, 100_000, 0).pace == 100_000
    assert BandwidthProbe(100_000, RATE, 0).pace == SLOWEST


def test_pace_doubles_up_to_the_maximum_while_no_queue_builds_up():
    driver = ProbeDriver()
    assert [driver.step() for _ in range(6)] == [
        2 * FIRST,
        4 * FIRST,
        RATE,
        2 * RATE,
        HIGHEST_SHARE * RATE,
        HIGHEST_SHARE * RATE,
    ]


def test_rare_reports_raise_the_pace_further():
    driver = ProbeDriver()
    assert [driver.step(seconds=1.0) for _ in range(2)] == [4 * FIRST, 16 * FIRST]


def test_frequent_reports_do_not_raise_the_pace_faster():
    driver = ProbeDriver()
    assert [driver.step(seconds=0.05) for _ in range(5)] == [FIRST] * 4 + [2 * FIRST]


def test_report_without_packets_of_this_pace_does_not_raise_it():
    driver = ProbeDriver()
    driver.step()
    assert driver.step(in_flight=10) <= 2 * FIRST


@pytest.mark.parametrize("trouble", [{"in_flight": 14}, {"lost": 12}])
def test_queue_or_loss_halves_the_pace_and_later_growth_is_slower(trouble):
    driver = ProbeDriver()
    driver.step()
    assert driver.step(**trouble, seconds=0.1) == FIRST
    assert [round(driver.step() / FIRST, 3) for _ in range(3)] == [1.25, 1.25 * 1.5, round(1.25 * 1.5 * 1.75, 3)]


def test_standing_queue_halves_the_pace_down_to_the_minimum():
    driver = ProbeDriver()
    driver.step()
    assert [driver.step(in_flight=50 + step) for step in range(4)] == [FIRST, FIRST / 2, SLOWEST, SLOWEST]


def test_loss_without_a_queue_is_tolerated_up_to_a_limit():
    driver = ProbeDriver()
    assert [driver.step(lost=lost) for lost in (0, 2, 2, 2)] == [2 * FIRST, 4 * FIRST, RATE, 2 * RATE]
    assert driver.step(lost=20) == RATE


def test_little_loss_with_a_queue_fails_the_probe():
    driver = ProbeDriver()
    driver.probe.keyframe_sent(0.3)
    driver.step()
    driver.step(lost=4, in_flight=14)
    assert driver.probe.has_failed


def test_pace_is_not_halved_while_nothing_is_sent():
    driver = ProbeDriver()
    driver.step()
    for _ in range(5):
        driver.now += 1.0
        driver.probe.report(0, 9, ROUND_TRIP, RATE, driver.now)
    assert driver.probe.pace >= FIRST


def test_next_probe_starts_at_the_pace_that_delivered_the_keyframe():
    driver = ProbeDriver()
    driver.step(in_flight=12)
    assert driver.probe.first_pace == FIRST / 2
    driver.probe.keyframe_sent(1.0)
    driver.step(in_flight=30)
    assert driver.probe.first_pace == FIRST / 2


def test_probe_passes_when_reports_show_no_queue_at_the_stream_rate():
    driver = ProbeDriver()
    driver.probe.keyframe_sent(0.3)
    for _ in range(3):
        assert not driver.probe.is_passed
        driver.step()
    assert driver.probe.pace == RATE
    assert not driver.probe.is_passed
    driver.step(seconds=0.05)
    assert driver.probe.is_passed
    driver.step(in_flight=40, seconds=0.05)
    assert not driver.probe.is_passed


def test_loss_fails_the_probe_once_the_keyframe_has_been_sent():
    driver = ProbeDriver()
    driver.step(lost=30)  # packets sent before the probe
    driver.step(lost=8)
    assert not driver.probe.has_failed
    driver.probe.keyframe_sent(0.5)
    driver.step(lost=8)
    assert driver.probe.has_failed


def test_probe_is_late_when_frames_wait_longer_than_the_keyframe_did():
    probe = BandwidthProbe(RATE, RATE, 0)
    assert not probe.is_late(5)
    probe.keyframe_sent(1.0)
    probe.keyframe_sent(20.0)
    assert not probe.is_late(2.4)
    assert probe.is_late(2.6)


def test_steps_are_shorter_than_the_longest_report_interval():
    assert STEP < LONG_STEP < 1.0
