"""The pace of a bandwidth probe, report by report."""

from __future__ import annotations

import pytest

from broadcaster.delivery.bandwidth_probe import FIRST_SHARE, HIGHEST_SHARE, LONG_STEP, SLOWEST, STEP, BandwidthProbe

RATE = 2_400_000.0
FIRST = RATE * FIRST_SHARE
ROUND_TRIP = 0.02
ENOUGH = STEP + ROUND_TRIP + 0.001


class ProbeRig:
    """Sends ten packets, then a report comes."""

    def __init__(self, rate: float = RATE, first_pace: float = RATE) -> None:
        self.now = 100.0
        self.lost = 0
        self.probe = BandwidthProbe(rate, first_pace, self.now)

    def step(self, in_flight: int = 0, *, lost: int = 0, seconds: float = ENOUGH) -> float:
        """The pace afterwards."""
        self.now += seconds
        self.lost += lost
        self.probe.sent(10)
        self.probe.report(self.lost, in_flight, ROUND_TRIP, RATE, self.now)
        return self.probe.pace


def test_it_begins_slowly_but_not_slower_than_the_floor():
    assert BandwidthProbe(RATE, RATE, 0).pace == FIRST
    assert BandwidthProbe(RATE, 100_000, 0).pace == 100_000
    assert BandwidthProbe(100_000, RATE, 0).pace == SLOWEST


def test_while_there_is_no_queue_the_pace_doubles_up_to_the_highest():
    rig = ProbeRig()
    assert [rig.step() for _ in range(6)] == [
        2 * FIRST,
        4 * FIRST,
        RATE,
        2 * RATE,
        HIGHEST_SHARE * RATE,
        HIGHEST_SHARE * RATE,
    ]


def test_reports_that_come_seldom_raise_it_further():
    rig = ProbeRig()
    assert [rig.step(seconds=1.0) for _ in range(2)] == [4 * FIRST, 16 * FIRST]


def test_reports_that_come_often_raise_it_no_faster():
    rig = ProbeRig()
    assert [rig.step(seconds=0.05) for _ in range(5)] == [FIRST] * 4 + [2 * FIRST]


def test_a_report_about_nothing_that_was_sent_at_this_pace_does_not_raise_it():
    rig = ProbeRig()
    rig.step()
    assert rig.step(in_flight=10) <= 2 * FIRST


@pytest.mark.parametrize("trouble", [{"in_flight": 14}, {"lost": 12}])
def test_a_queue_or_loss_halves_it_and_then_it_rises_gently(trouble):
    rig = ProbeRig()
    rig.step()
    assert rig.step(**trouble, seconds=0.1) == FIRST
    assert [round(rig.step() / FIRST, 3) for _ in range(3)] == [1.25, 1.25 * 1.5, round(1.25 * 1.5 * 1.75, 3)]


def test_a_queue_that_stays_halves_it_again_and_again_down_to_the_floor():
    rig = ProbeRig()
    rig.step()
    assert [rig.step(in_flight=50 + step) for step in range(4)] == [FIRST, FIRST / 2, SLOWEST, SLOWEST]


def test_loss_without_a_queue_is_a_bad_radio_up_to_a_limit():
    rig = ProbeRig()
    assert [rig.step(lost=lost) for lost in (0, 2, 2, 2)] == [2 * FIRST, 4 * FIRST, RATE, 2 * RATE]
    assert rig.step(lost=20) == RATE


def test_little_loss_with_a_queue_is_a_narrow_network():
    rig = ProbeRig()
    rig.probe.keyframe_sent(0.3)
    rig.step()
    rig.step(lost=4, in_flight=14)
    assert rig.probe.has_failed


def test_nothing_is_halved_while_nothing_is_sent():
    rig = ProbeRig()
    rig.step()
    for _ in range(5):
        rig.now += 1.0
        rig.probe.report(0, 9, ROUND_TRIP, RATE, rig.now)
    assert rig.probe.pace >= FIRST


def test_the_next_probe_begins_where_the_keyframe_of_this_one_got_through():
    rig = ProbeRig()
    rig.step(in_flight=12)
    assert rig.probe.first_pace == FIRST / 2
    rig.probe.keyframe_sent(1.0)
    rig.step(in_flight=30)
    assert rig.probe.first_pace == FIRST / 2


def test_it_has_passed_when_reports_show_no_queue_at_the_stream_rate():
    rig = ProbeRig()
    rig.probe.keyframe_sent(0.3)
    for _ in range(3):
        assert not rig.probe.is_passed
        rig.step()
    assert rig.probe.pace == RATE
    assert not rig.probe.is_passed
    rig.step(seconds=0.05)
    assert rig.probe.is_passed
    rig.step(in_flight=40, seconds=0.05)
    assert not rig.probe.is_passed


def test_loss_ends_it_once_the_keyframe_has_been_sent():
    rig = ProbeRig()
    rig.step(lost=30)  # the end of what was sent before
    rig.step(lost=8)
    assert not rig.probe.has_failed
    rig.probe.keyframe_sent(0.5)
    rig.step(lost=8)
    assert rig.probe.has_failed


def test_it_is_late_when_pictures_wait_longer_than_the_keyframe_did():
    probe = BandwidthProbe(RATE, RATE, 0)
    assert not probe.is_late(5)
    probe.keyframe_sent(1.0)
    probe.keyframe_sent(20.0)
    assert not probe.is_late(2.4)
    assert probe.is_late(2.6)


def test_steps_are_shorter_than_the_reports_of_those_who_send_them_seldom():
    assert STEP < LONG_STEP < 1.0
