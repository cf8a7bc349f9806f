"""Bandwidth probes of a send queue: start, failure and success, with simulated time."""

from __future__ import annotations

from broadcaster.delivery.bandwidth_probe import FIRST_SHARE
from broadcaster.delivery.congestion import (
    ARRIVES_WITHIN,
    LOW_FOR,
    ViewerHealth,
)
from broadcaster.delivery.pacer import TICK, packets_due
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import SHORTEST_PROBE_INTERVAL
from tests.unit.send_queue_driver import RATE, SendQueueDriver


def test_slow_viewer_is_probed_with_a_keyframe_at_low_pace_and_the_frames_after_it():
    driver = SendQueueDriver()
    driver.make_slow()
    before = driver.sender.packets
    driver.add(9)
    key = driver.add(13, key=True)
    driver.ticks(0.2)
    assert driver.queue.health is ViewerHealth.PROBING
    assert driver.sender.packets - before <= packets_due(RATE * FIRST_SHARE, TICK) * 40 + 1
    delta = driver.add(9)
    driver.ticks(0.8)
    assert driver.sender.finished[-2:] == [key, delta]


def test_viewer_that_caught_up_is_healthy_whatever_remb_says():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.probe()
    assert driver.queue.health is ViewerHealth.WELL
    finished = len(driver.sender.finished)
    for _ in range(300):
        driver.ticks(1 / 30)
        driver.add(9)
        driver.queue.report(ReceiverReport(0.0, 0, 20_000), driver.now)
    assert driver.queue.health is ViewerHealth.WELL
    assert driver.queue.bandwidth_estimate is None
    assert len(driver.sender.finished) == finished + 300


def test_remb_that_drops_right_after_recovery_counts_from_that_time():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.probe()
    driver.queue.bandwidth_dropped(19_000, driver.now)
    driver.queue.report(ReceiverReport(0.0, 0, 19_000), driver.now)
    assert driver.queue.health is ViewerHealth.WELL
    driver.queue.report(ReceiverReport(0.0, 0, 19_000), driver.now + LOW_FOR)
    assert driver.queue.health is ViewerHealth.SKIPPING


def test_high_loss_ends_a_probe_until_the_next_keyframe():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.add(13, key=True)
    driver.queue.report(ReceiverReport(0.0, 0, 50_000), driver.now)
    driver.ticks(0.6)
    driver.add(9)
    driver.queue.report(ReceiverReport(0.1, 3, 50_000), driver.now)
    assert driver.queue.health is ViewerHealth.PROBING
    driver.queue.report(ReceiverReport(0.1, 6, 50_000), driver.now)
    assert driver.queue.health is ViewerHealth.SKIPPING
    driver.ticks(1)
    sent = driver.sender.packets
    driver.add(9)
    driver.ticks(1)
    assert driver.sender.packets == sent
    driver.add(9, key=True)
    assert driver.queue.health is ViewerHealth.PROBING


def test_loss_before_a_probe_does_not_end_it():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.add(13, key=True)
    driver.ticks(0.1)
    driver.queue.report(ReceiverReport(0.9, 100, 50_000), driver.now)
    driver.ticks(0.6)
    driver.add(9)
    driver.queue.report(ReceiverReport(0.0, 100, 50_000), driver.now)
    assert driver.queue.health is ViewerHealth.PROBING


def test_probe_with_growing_delay_is_abandoned_after_its_keyframe():
    driver = SendQueueDriver()
    driver.make_slow()
    key = driver.add(100, key=True)
    while driver.queue.health is ViewerHealth.PROBING:
        driver.ticks(1 / 30)
        driver.add(9)
    driver.ticks(5)
    assert not driver.queue
    assert key in driver.sender.finished
    assert len(driver.sender.finished[-1]) == 9


def test_probe_keyframe_that_takes_too_long_is_completed():
    driver = SendQueueDriver()
    driver.make_slow()
    key = driver.add(300, key=True)
    while driver.queue.health is ViewerHealth.PROBING:
        driver.ticks(1 / 30)
        driver.add(9)
    driver.ticks(5)
    assert not driver.queue
    assert driver.sender.finished[-1] is key


def test_falling_remb_is_used_again_after_recovery():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.probe()
    assert (driver.queue.health, driver.queue.bandwidth_estimate) == (ViewerHealth.WELL, None)
    now = driver.now
    driver.queue.report(ReceiverReport(0.0, 0, 500_000), now)
    driver.queue.report(ReceiverReport(0.0, 0, 400_000), now + 1)
    assert driver.queue.bandwidth_estimate == 400_000


def test_probe_waits_until_the_queue_of_a_collapsed_network_has_drained():
    driver = SendQueueDriver()
    driver.add(key=True)
    driver.queue.report(ReceiverReport(0.0, 0, round(RATE)), driver.now)
    driver.queue.bandwidth_dropped(round(0.4 * RATE), driver.now)
    assert driver.queue.health is ViewerHealth.SKIPPING
    # The network's queue holds 0.75 s of packets at the full rate, and drains at two fifths of it: 1.1 s.
    driver.now += 1.0
    sent = len(driver.sender.finished)
    driver.add(key=True)
    assert (len(driver.sender.finished), driver.probes_requested) == (sent, 0)
    driver.now += 0.2
    driver.add()
    assert driver.probes_requested == 1
    key = driver.add(key=True)
    driver.ticks(1)
    assert driver.sender.finished[-1] is key


def test_slow_viewer_requests_the_keyframe_of_its_next_probe():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.add()
    assert driver.probes_requested == 1
    driver.add(key=True)
    driver.queue.report(ReceiverReport(0.0, 0, 200_000), driver.now)
    driver.ticks(0.6)
    driver.queue.report(ReceiverReport(0.5, 100, 200_000), driver.now)
    assert driver.queue.health is ViewerHealth.SKIPPING
    driver.add()
    assert driver.probes_requested == 1
    driver.now += SHORTEST_PROBE_INTERVAL
    driver.add()
    assert driver.probes_requested == 2


def test_next_probe_waits_while_packets_still_arrive():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.add(key=True)
    driver.ticks(0.6)
    driver.queue.report(ReceiverReport(0.0, 0, 200_000, in_flight=9), driver.now)
    driver.queue.report(ReceiverReport(0.0, 20, 200_000, in_flight=8), driver.now)
    assert driver.queue.health is ViewerHealth.SKIPPING
    driver.now += SHORTEST_PROBE_INTERVAL
    driver.queue.report(ReceiverReport(0.0, 20, 200_000, in_flight=7), driver.now)
    driver.add()
    assert driver.probes_requested == 0
    driver.queue.report(ReceiverReport(0.0, 20, 200_000, in_flight=0), driver.now)
    driver.add()
    assert driver.probes_requested == 1


def test_next_probe_does_not_wait_for_lost_packets():
    driver = SendQueueDriver()
    driver.make_slow()
    driver.now += ARRIVES_WITHIN
    for _ in range(2):
        driver.queue.report(ReceiverReport(0.0, 0, 200_000, in_flight=7), driver.now)
    driver.now += ARRIVES_WITHIN
    driver.queue.report(ReceiverReport(0.0, 0, 200_000, in_flight=7), driver.now)
    driver.add()
    assert driver.probes_requested == 1
