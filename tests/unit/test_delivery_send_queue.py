"""The send queue of one viewer: pacing, and skipping to the next keyframe, with simulated time."""

from __future__ import annotations

from broadcaster.delivery.congestion import (
    LONGEST_BACKLOG,
    LOW_FOR,
    CongestionController,
    ViewerHealth,
)
from broadcaster.delivery.pacer import BURST, SLOWEST, pace_of
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import RateMeter
from tests.unit.send_queue_driver import RATE, SendQueueDriver


def test_queue_starts_with_a_keyframe():
    driver = SendQueueDriver()
    driver.add()
    assert driver.sender.finished == []
    assert driver.keyframes_requested == 1
    key = driver.add(key=True)
    delta = driver.add()
    assert driver.sender.finished == [key, delta]


def test_ordinary_frame_is_sent_at_once_and_large_frame_is_paced():
    driver = SendQueueDriver()
    driver.add(BURST, key=True)
    assert not driver.queue
    driver.add(100)
    assert driver.sender.packets == 2 * BURST
    driver.ticks(0.02)
    assert 2 * BURST < driver.sender.packets < 2 * BURST + 30
    driver.ticks(0.1)
    assert driver.sender.packets == BURST + 100


def test_frame_waits_behind_a_large_one():
    driver = SendQueueDriver()
    large, small = driver.add(60, key=True), driver.add(5)
    assert driver.sender.finished == []
    driver.ticks(0.1)
    assert driver.sender.finished == [large, small]


def test_full_socket_delays_the_frame():
    driver = SendQueueDriver()
    driver.sender.capacity = 4
    key = driver.add(9, key=True)
    driver.ticks(0.05)
    assert driver.sender.finished == []
    driver.sender.capacity = 100
    driver.ticks(0.05)
    assert driver.sender.finished == [key]


def test_backlog_is_skipped_in_whole_frames():
    driver = SendQueueDriver()
    key = driver.add(9, key=True)
    driver.sender.capacity = 3
    started = driver.add(9)
    driver.now += LONGEST_BACKLOG + 0.01
    driver.add(9)
    assert driver.queue.health is ViewerHealth.SKIPPING
    driver.sender.capacity = 10**6
    driver.ticks(1)
    driver.add(9)
    assert driver.sender.finished == [key, started]


def test_low_remb_starts_skipping_after_a_while_and_sooner_with_loss():
    driver = SendQueueDriver()
    driver.add(key=True)
    driver.queue.report(ReceiverReport(0.0, 0, 300_000), driver.now)
    assert driver.queue.health is ViewerHealth.WELL
    driver.queue.report(ReceiverReport(0.0, 0, 300_000), driver.now + LOW_FOR)
    assert driver.queue.health is ViewerHealth.SKIPPING
    other = SendQueueDriver()
    other.add(key=True)
    other.queue.report(ReceiverReport(0.0, 0, 300_000), other.now)
    other.queue.report(ReceiverReport(0.3, 30, 300_000), other.now + 0.5)
    assert other.queue.health is ViewerHealth.SKIPPING


def test_loss_alone_does_not_start_skipping():
    driver = SendQueueDriver()
    driver.add(key=True)
    for second in range(10):
        driver.queue.report(ReceiverReport(0.3, 80 * second, 5_000_000), driver.now + second)
    assert driver.queue.health is ViewerHealth.WELL


def test_send_rate_peak_of_a_large_keyframe_is_no_collapse():
    controller = CongestionController()
    controller.report(ReceiverReport(0.0, 0, round(RATE)), RATE, 1.0)
    assert not controller.report(ReceiverReport(0.0, 0, round(RATE)), 3 * RATE, 1.5)
    assert controller.health is ViewerHealth.WELL


def test_remb_drop_between_reports_is_used_at_once():
    driver = SendQueueDriver()
    driver.add(key=True)
    driver.queue.report(ReceiverReport(0.0, 0, round(RATE)), driver.now)
    driver.queue.bandwidth_dropped(round(0.6 * RATE), driver.now)
    assert (driver.queue.health, driver.queue.bandwidth_estimate) == (ViewerHealth.WELL, round(0.6 * RATE))
    driver.queue.report(ReceiverReport(0.0, 0, round(0.6 * RATE)), driver.now + 0.1)
    driver.queue.report(ReceiverReport(0.0, 0, round(0.6 * RATE)), driver.now + 0.1 + LOW_FOR)
    assert driver.queue.health is ViewerHealth.SKIPPING


def test_remb_drop_with_packet_loss_is_no_collapse():
    controller = CongestionController()
    controller.report(ReceiverReport(0.0, 0, round(RATE)), RATE, 1.0)
    controller.report(ReceiverReport(0.3, 100, round(RATE)), RATE, 2.0)
    assert not controller.bandwidth_dropped(round(0.4 * RATE), RATE, 2.1)
    assert controller.health is ViewerHealth.WELL


def test_viewer_that_starts_with_a_low_remb_has_not_collapsed():
    """The REMB of some browsers starts low."""
    controller = CongestionController()
    assert not controller.report(ReceiverReport(0.0, 0, 100_000), RATE, 1.0)
    assert not controller.bandwidth_dropped(90_000, RATE, 1.1)
    assert controller.health is ViewerHealth.WELL


def test_rising_remb_does_not_start_skipping():
    driver = SendQueueDriver()
    driver.add(key=True)
    for second in range(20):
        driver.queue.report(ReceiverReport(0.0, 0, 200_000 + 10_000 * second), driver.now + second)
    assert driver.queue.health is ViewerHealth.WELL


def test_massive_loss_starts_skipping_before_the_first_remb():
    driver = SendQueueDriver()
    driver.add(key=True)
    for step in range(4):
        driver.queue.report(ReceiverReport(0.9, 70 * step, None), driver.now + 0.3 * step)
    assert driver.queue.health is ViewerHealth.SKIPPING


def test_unreachable_viewer_receives_nothing_and_resumes_with_a_keyframe():
    driver = SendQueueDriver()
    driver.add(key=True)
    driver.sender.listening = False
    driver.add()
    driver.sender.listening = True
    driver.add()
    key = driver.add(key=True)
    assert len(driver.sender.finished) == 2
    assert driver.sender.finished[-1] is key
    assert driver.queue.skipped == 2


def test_rate_meter_follows_the_stream_and_the_pace_has_a_minimum():
    meter = RateMeter()
    assert (meter.rate, pace_of(meter)) == (0.0, SLOWEST)
    for number in range(90):
        meter.add(10_417, 100 + number / 30)
    assert 2_400_000 < meter.rate < 2_600_000
    assert pace_of(meter) == 4 * meter.rate


def test_exceptionally_large_frame_does_not_start_skipping():
    driver, meter = SendQueueDriver(), RateMeter()
    driver.add(key=True)
    for _ in range(60):
        meter.add(1200, driver.now)
        driver.ticks(1 / 30)
    meter.add(90 * 1200, driver.now)
    huge = driver.add(90, key=True)
    driver.ticks(LONGEST_BACKLOG, pace_of(meter))
    assert driver.sender.finished[-1] is huge
    driver.add()
    assert driver.queue.health is ViewerHealth.WELL
