"""The padding probe: growing pace, and the results that reports lead to."""

from __future__ import annotations

from broadcaster.delivery.padding_probe import HOLD, LONGEST, MARGIN, PaddingProbe, ProbeResult

SMALL, FULL = 400_000.0, 2_500_000.0
ROUND_TRIP = 0.02


def run(probe: PaddingProbe, until: float, *, interval: float = 0.1, in_flight: int = 0, lost: int = 0) -> float:
    """Report every `interval` seconds until the probe has a result; return when."""
    now = 0.0
    while probe.result is ProbeResult.RUNNING and now < until:
        now += interval
        probe.report(lost, in_flight, ROUND_TRIP, now)
        probe.poll(now)
    return now


def test_pace_grows_to_the_full_rate_with_a_margin_and_the_probe_passes():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    assert probe.padding == SMALL
    at = run(probe, 10)
    assert probe.result is ProbeResult.PASSED
    assert probe.padding == MARGIN * FULL - SMALL
    assert HOLD < at < 3


def test_reports_once_a_second_are_enough():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    assert run(probe, 10, interval=1.0) <= 5
    assert probe.result is ProbeResult.PASSED


def test_queue_ends_the_probe():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    run(probe, 0.5)
    run(probe, 1, in_flight=40)
    assert probe.result is ProbeResult.FAILED


def test_loss_ends_the_probe_but_not_what_was_lost_before():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    run(probe, 0.5, lost=1000)
    assert probe.result is ProbeResult.RUNNING
    run(probe, 1, lost=1040)
    assert probe.result is ProbeResult.FAILED


def test_bandwidth_estimate_that_drops_below_the_pace_ends_the_probe():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    probe.bandwidth_dropped(round(2.1 * SMALL))
    assert probe.result is ProbeResult.RUNNING
    probe.bandwidth_dropped(round(1.5 * SMALL))
    assert probe.result is ProbeResult.FAILED


def test_probe_without_reports_fails():
    probe = PaddingProbe(SMALL, FULL, 0.0)
    probe.poll(LONGEST)
    assert probe.result is ProbeResult.RUNNING
    probe.poll(LONGEST + 0.1)
    assert probe.result is ProbeResult.FAILED
