"""Stalls of this process: they make no viewer slow, while a full socket, and what the viewer reports, still do."""

from __future__ import annotations

import asyncio

import pytest

from broadcaster.delivery.congestion import LONGEST_BACKLOG, LOW_FOR, ViewerHealth
from broadcaster.delivery.pacer import BURST, TICK, Pacer, burst_for, tick_for
from broadcaster.delivery.send_queue import LONGEST_DELAY
from broadcaster.delivery.walks import MOST_AT_ONCE, ON_TIME, VIEWERS_AT_ONCE
from broadcaster.model.stats import ReceiverReport
from tests.unit.fanout_driver import FanoutDriver, RecordingSender
from tests.unit.send_queue_driver import RATE, SendQueueDriver

VIEWERS = 300
LARGE = 60_000
"""Bytes of a keyframe that is paced."""


class BlockableSender(RecordingSender):
    """Its socket can be full."""

    blocked = False

    def send_video(self, frame, first, end, now) -> int:
        return 0 if self.blocked else super().send_video(frame, first, end, now)


class Crowd(FanoutDriver):
    """Hundreds of viewers on a fake clock: every walk takes place, and none takes time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.senders = [BlockableSender() for _ in range(VIEWERS)]
        for number, sender in enumerate(self.senders):
            self.fanout.subscribe(str(number), sender)

    async def picture(self, *, key: bool = False, size: int = 0, after: float = 1 / 30) -> int:
        number = self.publish(key=key, size=size, after=after)
        await self.walk()
        return number

    async def play(self, seconds: float, size: int = 0) -> None:
        for _ in range(round(seconds * 30)):
            await self.picture(size=size)
            self.fanout._tick()
            await self.walk()

    async def walk(self) -> None:
        for _ in range(VIEWERS // VIEWERS_AT_ONCE + 2):
            await asyncio.sleep(0)

    @property
    def slow(self) -> list[str]:
        queues = self.fanout._viewers
        return [viewer for viewer, queue in queues.items() if queue.health is not ViewerHealth.WELL]


@pytest.mark.parametrize("stall", [0.3, 0.6, 0.95])
async def test_stall_of_this_process_makes_no_viewer_slow_and_loses_no_picture(stall):
    crowd = Crowd()
    sent = [await crowd.picture(key=True, size=LARGE)]
    crowd.clock.advance(stall)
    sent += [await crowd.picture() for _ in range(3)]
    assert crowd.slow == []
    await crowd.play(1)
    assert all(sender.frames[: len(sent)] == sent for sender in crowd.senders)
    assert [queue.skipped for queue in crowd.fanout._viewers.values()] == [0] * VIEWERS


async def test_viewer_with_a_full_socket_is_found_during_a_stall_and_within_the_usual_time():
    crowd = Crowd()
    await crowd.picture(key=True)
    await crowd.play(0.5)
    crowd.senders[7].blocked = True
    await crowd.play(LONGEST_BACKLOG + 0.1)
    assert crowd.slow == ["7"]


async def test_viewer_that_reports_a_narrow_network_is_found_among_many():
    crowd = Crowd()
    await crowd.picture(key=True)
    await crowd.play(0.5, size=2000)
    for _ in range(3):
        for number in range(VIEWERS):
            crowd.fanout.report(str(number), ReceiverReport(0.0, 0, 30_000 if number == 7 else 10_000_000))
        await crowd.play(LOW_FOR / 2 + 0.1, size=2000)
    assert crowd.slow == ["7"]


def test_socket_that_was_full_only_before_a_stall_counts_no_longer_than_a_step():
    driver = SendQueueDriver()
    driver.add(9, key=True)
    driver.sender.capacity = 3
    driver.add(9)
    driver.now += 0.5  # nothing is tried meanwhile
    driver.sender.capacity = 10**6
    driver.add(9)
    assert driver.queue.health is ViewerHealth.WELL
    driver.ticks(0.1)
    assert len(driver.sender.finished) == 3


def test_socket_that_lets_little_through_counts_as_full():
    driver = SendQueueDriver()
    driver.add(200, key=True)
    for _ in range(round((LONGEST_BACKLOG + 0.05) / TICK)):
        driver.sender.capacity = 1
        driver.ticks(TICK)
    driver.add(9)
    assert driver.queue.health is ViewerHealth.SKIPPING


def test_pictures_that_this_machine_cannot_send_in_time_are_skipped_to_the_next_keyframe():
    driver = SendQueueDriver()
    driver.add(60, key=True)
    for _ in range(5):
        driver.add(9)
    driver.now += LONGEST_DELAY + 0.1
    driver.add(9)
    assert driver.queue.skipped == 6
    key = driver.add(9, key=True)
    driver.ticks(0.2)
    assert driver.sender.finished[-1] is key
    assert driver.queue.health is ViewerHealth.WELL
    assert driver.queue.skipped == 6


def test_late_visit_makes_up_for_the_time_missed_up_to_a_burst():
    pacer = Pacer()
    pacer.begin(10.0, blocked=False)
    assert 0 < pacer.allow(4 * RATE, 10.0 + TICK, BURST) < BURST
    assert pacer.allow(4 * RATE, 10.5, BURST) == BURST
    many = burst_for(VIEWERS)
    assert pacer.allow(4 * RATE, 11.0, many) == many > BURST
    assert (burst_for(20), tick_for(20)) == (BURST, TICK)
    assert tick_for(VIEWERS) > TICK


def test_slow_viewer_is_sent_no_more_for_a_late_visit():
    pacer = Pacer()
    pacer.begin(10.0, blocked=False)
    assert pacer.allow_slow(RATE, 15.0) < BURST / 2


async def test_more_viewers_are_served_at_once_while_walks_are_late():
    crowd = Crowd()
    await crowd.picture(key=True)
    for _ in range(20):
        crowd.publish()
    assert sum(sender.frames[-1] == 2 for sender in crowd.senders) == VIEWERS_AT_ONCE
    await asyncio.sleep(0)
    assert sum(sender.frames[-1] == 2 for sender in crowd.senders) == VIEWERS_AT_ONCE + MOST_AT_ONCE
    assert ON_TIME * VIEWERS_AT_ONCE < MOST_AT_ONCE


async def test_late_packets_state_their_own_send_time():
    crowd = Crowd()
    times = []
    crowd.senders[0].send_video = lambda frame, first, end, now: times.append(now - frame.send_time) or end - first
    crowd.senders[-1].send_video = crowd.senders[0].send_video
    crowd.publish(key=True)
    crowd.clock.advance(0.05)
    await crowd.walk()
    assert times == [0.0, pytest.approx(0.05)]


async def test_keyframes_are_forced_less_often_while_pictures_are_late():
    crowd = Crowd()
    gate = crowd.hub.full.gate
    await crowd.play(0.1)
    usual = gate.interval
    crowd.publish(key=True)
    crowd.clock.advance(0.6)
    await crowd.walk()
    crowd.publish()
    assert gate.interval > 2 * usual
    await crowd.walk()
    await crowd.play(6)
    assert gate.interval == usual


async def test_longest_delay_of_a_picture_is_that_of_this_machine_only():
    crowd = Crowd()
    await crowd.picture(key=True)
    await crowd.play(0.5)
    assert crowd.fanout.take_longest_delay() < 0.1
    crowd.senders[7].blocked = True
    await crowd.play(0.15)
    assert crowd.fanout.take_longest_delay() < 0.1, "a full socket is the viewer's network"
    crowd.senders[7].blocked = False
    await crowd.play(0.2)
    crowd.fanout.take_longest_delay()
    crowd.publish(after=0)
    crowd.clock.advance(0.7)  # before the last viewers are visited
    await crowd.play(0.1)
    assert 0.7 <= crowd.fanout.take_longest_delay() < 0.8
    await crowd.play(0.1)
    assert crowd.fanout.take_longest_delay() < 0.1
