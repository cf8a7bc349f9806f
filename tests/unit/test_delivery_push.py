"""Push targets in the fan-out: they get everything, and never lower the bit rate of viewers."""

from __future__ import annotations

import pytest

from broadcaster.delivery.ramp_up import GROWS_WITHIN
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import Quality
from tests.unit.fanout_driver import FanoutDriver

WIDE, NARROW = 4_000_000, 1_000_000


@pytest.fixture
def driver() -> FanoutDriver:
    return FanoutDriver()


def report(driver: FanoutDriver, viewer: str, estimate: int) -> None:
    """Report an estimate until its ramp-up is over."""
    driver.fanout.report(viewer, ReceiverReport(0.0, 0, estimate))
    driver.clock.advance(GROWS_WITHIN)
    driver.fanout.report(viewer, ReceiverReport(0.0, 0, estimate))


def test_push_target_receives_what_viewers_receive(driver):
    sent = [driver.publish(key=True)]
    target, viewer = driver.join("push a", is_viewer=False), driver.join("v1")
    sent.append(driver.publish())
    assert target.frames == viewer.frames == sent


def test_push_target_does_not_count_as_a_viewer(driver):
    driver.join("push a", is_viewer=False)
    driver.join("v1")
    assert driver.fanout.viewers_by_quality == {Quality.FULL: 1}


def test_estimate_of_a_push_target_counts_only_without_viewers(driver):
    driver.join("push a", is_viewer=False)
    report(driver, "push a", NARROW)
    assert driver.fanout.bandwidth_estimates() == [NARROW]
    driver.join("v1")
    report(driver, "v1", WIDE)
    assert driver.fanout.bandwidth_estimates() == [WIDE]
    assert driver.fanout.bandwidth_estimates(Quality.SMALL) == []


def test_estimate_of_a_push_target_does_not_count_while_others_watch_without_webrtc(driver):
    sessions = 1
    driver.fanout._sessions = lambda: sessions
    driver.join("push a", is_viewer=False)
    report(driver, "push a", NARROW)
    assert driver.fanout.bandwidth_estimates() == []
    sessions = 0
    assert driver.fanout.bandwidth_estimates() == [NARROW]


def test_single_viewer_may_try_a_higher_bit_rate_beside_push_targets(driver):
    full = driver.hub.full
    full.bitrate, full.target_bitrate = 2_500_000, 500_000
    target, viewer = driver.join("push a", is_viewer=False), driver.join("v1")
    assert driver.fanout.full_bitrate_goal(viewer) == full.bitrate
    assert driver.fanout.full_bitrate_goal(target) == 0
    driver.join("v2")
    assert driver.fanout.full_bitrate_goal(viewer) == 0


def test_single_push_target_without_viewers_may_try_a_higher_bit_rate(driver):
    full = driver.hub.full
    full.bitrate, full.target_bitrate = 2_500_000, 500_000
    target = driver.join("push a", is_viewer=False)
    assert driver.fanout.full_bitrate_goal(target) == full.bitrate
    driver.join("push b", is_viewer=False)
    assert driver.fanout.full_bitrate_goal(target) == 0
