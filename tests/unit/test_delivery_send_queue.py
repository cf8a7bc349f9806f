"""One viewer's queue: pacing, skipping to keyframes, and coming back; on a clock of numbers."""

from __future__ import annotations

from broadcaster.delivery.bandwidth_probe import FIRST_SHARE
from broadcaster.delivery.congestion import (
    ARRIVES_WITHIN,
    LONGEST_BACKLOG,
    LOW_FOR,
    CongestionController,
    ViewerHealth,
)
from broadcaster.delivery.send_queue import BURST, SLOWEST, TICK, SendQueue, pace_of, packets_due
from broadcaster.media.rtp import RtpFrame, RtpStream
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import SHORTEST_PROBE_INTERVAL, RateMeter

VIDEO = RtpStream(1, 101, "0")
RATE = 2_500_000.0


class Sender:
    """Takes packets as long as it has room; checks that pictures are whole and in order."""

    def __init__(self) -> None:
        self.network = "192.0.2.1"
        self.room = 10**9
        self.listening = True
        self.packets = 0
        self.finished: list[RtpFrame] = []
        self._next = 0

    def is_listening(self, now: float) -> bool:
        return self.listening

    def broke(self) -> None:
        raise AssertionError("nothing breaks here")

    def send_audio(self, frame: RtpFrame) -> None:
        raise AssertionError("sound does not come this way")

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        assert first == self._next
        end = min(end, first + self.room)
        self.room -= end - first
        self.packets += end - first
        self._next = end % len(frame)
        if end == len(frame):
            self.finished.append(frame)
        return end - first


class QueueRig:
    def __init__(self) -> None:
        self.now = 100.0
        self.sender = Sender()
        self.keyframes_wanted = 0
        self.probes_wanted = 0
        self.outgoing = SendQueue(self.sender, self._want, self._want_probe)

    def _want(self) -> None:
        self.keyframes_wanted += 1

    def _want_probe(self) -> None:
        self.probes_wanted += 1

    def add(self, packets: int = 9, *, key: bool = False) -> RtpFrame:
        frame = RtpFrame(VIDEO, [b"x"] * packets, 0, self.now, key)
        self.outgoing.add(frame, self.now)
        return frame

    def ticks(self, seconds: float, pace: float = 4 * RATE) -> None:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            if self.outgoing:
                self.outgoing.tick(pace, TICK, self.now)

    def probe(self) -> None:
        """A probe over a network that delivers everything at once, until it has ended."""
        self.add(13, key=True)
        began = self.now
        while self.outgoing.health is not ViewerHealth.WELL:
            self.ticks(1 / 30)
            self.add(9)
            self.outgoing.report(ReceiverReport(0.0, 0, 20_000), RATE, self.now)
            assert self.now - began < 3

    def make_slow(self) -> None:
        self.add(key=True)
        for _ in range(4):
            self.outgoing.report(ReceiverReport(0.0, 0, 200_000), RATE, self.now)
            self.ticks(1)
        assert self.outgoing.health is ViewerHealth.SKIPPING


def test_it_begins_with_a_keyframe():
    rig = QueueRig()
    rig.add()
    assert rig.sender.finished == []
    assert rig.keyframes_wanted == 1
    key = rig.add(key=True)
    delta = rig.add()
    assert rig.sender.finished == [key, delta]


def test_an_ordinary_picture_goes_at_once_and_a_large_one_is_paced():
    rig = QueueRig()
    rig.add(BURST, key=True)
    assert not rig.outgoing
    rig.add(100)
    assert rig.sender.packets == 2 * BURST
    rig.ticks(0.02)
    assert 2 * BURST < rig.sender.packets < 2 * BURST + 30
    rig.ticks(0.1)
    assert rig.sender.packets == BURST + 100


def test_the_next_picture_waits_behind_a_large_one():
    rig = QueueRig()
    large, small = rig.add(60, key=True), rig.add(5)
    assert rig.sender.finished == []
    rig.ticks(0.1)
    assert rig.sender.finished == [large, small]


def test_a_full_socket_is_waited_for():
    rig = QueueRig()
    rig.sender.room = 4
    key = rig.add(9, key=True)
    rig.ticks(0.05)
    assert rig.sender.finished == []
    rig.sender.room = 100
    rig.ticks(0.05)
    assert rig.sender.finished == [key]


def test_a_backlog_is_skipped_in_whole_pictures():
    rig = QueueRig()
    key = rig.add(9, key=True)
    rig.sender.room = 3
    begun = rig.add(9)
    rig.now += LONGEST_BACKLOG + 0.01
    rig.add(9)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    rig.sender.room = 10**6
    rig.ticks(1)
    rig.add(9)
    assert rig.sender.finished == [key, begun]


def test_a_low_remb_makes_it_slow_after_a_while_and_sooner_with_loss():
    rig = QueueRig()
    rig.add(key=True)
    rig.outgoing.report(ReceiverReport(0.0, 0, 300_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.WELL
    rig.outgoing.report(ReceiverReport(0.0, 0, 300_000), RATE, rig.now + LOW_FOR)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    other = QueueRig()
    other.add(key=True)
    other.outgoing.report(ReceiverReport(0.0, 0, 300_000), RATE, other.now)
    other.outgoing.report(ReceiverReport(0.3, 30, 300_000), RATE, other.now + 0.5)
    assert other.outgoing.health is ViewerHealth.SKIPPING


def test_loss_alone_is_no_reason():
    rig = QueueRig()
    rig.add(key=True)
    for second in range(10):
        rig.outgoing.report(ReceiverReport(0.3, 80 * second, 5_000_000), RATE, rig.now + second)
    assert rig.outgoing.health is ViewerHealth.WELL


def test_a_slow_viewer_is_probed_with_a_keyframe_at_a_slow_pace_and_with_what_comes_after_it():
    rig = QueueRig()
    rig.make_slow()
    before = rig.sender.packets
    rig.add(9)
    key = rig.add(13, key=True)
    rig.ticks(0.2)
    assert rig.outgoing.health is ViewerHealth.PROBING
    assert rig.sender.packets - before <= packets_due(RATE * FIRST_SHARE, TICK) * 40 + 1
    delta = rig.add(9)
    rig.ticks(0.8)
    assert rig.sender.finished[-2:] == [key, delta]


def test_it_is_well_when_it_has_caught_up_with_the_stream_whatever_remb_says():
    rig = QueueRig()
    rig.make_slow()
    rig.probe()
    assert rig.outgoing.health is ViewerHealth.WELL
    finished = len(rig.sender.finished)
    for _ in range(300):
        rig.ticks(1 / 30)
        rig.add(9)
        rig.outgoing.report(ReceiverReport(0.0, 0, 20_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.WELL
    assert rig.outgoing.bandwidth_estimate is None
    assert len(rig.sender.finished) == finished + 300


def test_a_remb_that_falls_right_after_the_return_counts_from_then_on_only():
    rig = QueueRig()
    rig.make_slow()
    rig.probe()
    rig.outgoing.bandwidth_dropped(19_000, RATE, rig.now)
    rig.outgoing.report(ReceiverReport(0.0, 0, 19_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.WELL
    rig.outgoing.report(ReceiverReport(0.0, 0, 19_000), RATE, rig.now + LOW_FOR)
    assert rig.outgoing.health is ViewerHealth.SKIPPING


def test_much_lost_ends_a_probe_until_the_next_keyframe():
    rig = QueueRig()
    rig.make_slow()
    rig.add(13, key=True)
    rig.outgoing.report(ReceiverReport(0.0, 0, 50_000), RATE, rig.now)
    rig.ticks(0.6)
    rig.add(9)
    rig.outgoing.report(ReceiverReport(0.1, 3, 50_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.PROBING
    rig.outgoing.report(ReceiverReport(0.1, 6, 50_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    rig.ticks(1)
    sent = rig.sender.packets
    rig.add(9)
    rig.ticks(1)
    assert rig.sender.packets == sent
    rig.add(9, key=True)
    assert rig.outgoing.health is ViewerHealth.PROBING


def test_what_was_lost_before_a_probe_does_not_end_it():
    rig = QueueRig()
    rig.make_slow()
    rig.add(13, key=True)
    rig.ticks(0.1)
    rig.outgoing.report(ReceiverReport(0.9, 100, 50_000), RATE, rig.now)
    rig.ticks(0.6)
    rig.add(9)
    rig.outgoing.report(ReceiverReport(0.0, 100, 50_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.PROBING


def test_a_probe_whose_pictures_get_later_and_later_is_given_up_and_its_keyframe_finished():
    rig = QueueRig()
    rig.make_slow()
    key = rig.add(100, key=True)
    while rig.outgoing.health is ViewerHealth.PROBING:
        rig.ticks(1 / 30)
        rig.add(9)
    rig.ticks(5)
    assert not rig.outgoing
    assert key in rig.sender.finished
    assert len(rig.sender.finished[-1]) == 9


def test_a_keyframe_that_takes_too_long_is_finished_alone():
    rig = QueueRig()
    rig.make_slow()
    key = rig.add(300, key=True)
    while rig.outgoing.health is ViewerHealth.PROBING:
        rig.ticks(1 / 30)
        rig.add(9)
    rig.ticks(5)
    assert not rig.outgoing
    assert rig.sender.finished[-1] is key


def test_after_the_return_a_falling_remb_is_believed_again():
    rig = QueueRig()
    rig.make_slow()
    rig.probe()
    assert (rig.outgoing.health, rig.outgoing.bandwidth_estimate) == (ViewerHealth.WELL, None)
    now = rig.now
    rig.outgoing.report(ReceiverReport(0.0, 0, 500_000), RATE, now)
    rig.outgoing.report(ReceiverReport(0.0, 0, 400_000), RATE, now + 1)
    assert rig.outgoing.bandwidth_estimate == 400_000


def test_a_rate_that_rises_with_a_large_keyframe_is_no_collapse():
    controller = CongestionController()
    controller.report(ReceiverReport(0.0, 0, round(RATE)), RATE, 1.0)
    assert not controller.report(ReceiverReport(0.0, 0, round(RATE)), 3 * RATE, 1.5)
    assert controller.health is ViewerHealth.WELL


def test_a_remb_that_falls_between_reports_counts_at_once():
    rig = QueueRig()
    rig.add(key=True)
    rig.outgoing.report(ReceiverReport(0.0, 0, round(RATE)), RATE, rig.now)
    rig.outgoing.bandwidth_dropped(round(0.6 * RATE), RATE, rig.now)
    assert (rig.outgoing.health, rig.outgoing.bandwidth_estimate) == (ViewerHealth.WELL, round(0.6 * RATE))
    rig.outgoing.report(ReceiverReport(0.0, 0, round(0.6 * RATE)), RATE, rig.now + 0.1)
    rig.outgoing.report(ReceiverReport(0.0, 0, round(0.6 * RATE)), RATE, rig.now + 0.1 + LOW_FOR)
    assert rig.outgoing.health is ViewerHealth.SKIPPING


def test_a_network_that_collapses_gets_time_for_what_is_in_its_queue():
    rig = QueueRig()
    rig.add(key=True)
    rig.outgoing.report(ReceiverReport(0.0, 0, round(RATE)), RATE, rig.now)
    rig.outgoing.bandwidth_dropped(round(0.4 * RATE), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    rig.now += 1.0  # 0.75 s of all that was sent, of which two fifths have left: 1.1 s
    sent = len(rig.sender.finished)
    rig.add(key=True)
    assert (len(rig.sender.finished), rig.probes_wanted) == (sent, 0)
    rig.now += 0.2
    rig.add()
    assert rig.probes_wanted == 1
    key = rig.add(key=True)
    rig.ticks(1)
    assert rig.sender.finished[-1] is key


def test_where_packets_get_lost_there_is_no_queue_to_wait_for():
    rule = CongestionController()
    rule.report(ReceiverReport(0.0, 0, round(RATE)), RATE, 1.0)
    rule.report(ReceiverReport(0.3, 100, round(RATE)), RATE, 2.0)
    assert not rule.bandwidth_dropped(round(0.4 * RATE), RATE, 2.1)
    assert rule.health is ViewerHealth.WELL


def test_who_never_was_well_has_not_collapsed():
    """REMB begins low for some."""
    rule = CongestionController()
    assert not rule.report(ReceiverReport(0.0, 0, 100_000), RATE, 1.0)
    assert not rule.bandwidth_dropped(90_000, RATE, 1.1)
    assert rule.health is ViewerHealth.WELL


def test_a_remb_that_climbs_is_no_reason():
    rig = QueueRig()
    rig.add(key=True)
    for second in range(20):
        rig.outgoing.report(ReceiverReport(0.0, 0, 200_000 + 10_000 * second), RATE, rig.now + second)
    assert rig.outgoing.health is ViewerHealth.WELL


def test_a_flood_is_noticed_before_there_is_any_remb():
    rig = QueueRig()
    rig.add(key=True)
    for step in range(4):
        rig.outgoing.report(ReceiverReport(0.9, 70 * step, None), RATE, rig.now + 0.3 * step)
    assert rig.outgoing.health is ViewerHealth.SKIPPING


def test_who_does_not_listen_gets_nothing_and_comes_back_with_a_keyframe():
    rig = QueueRig()
    rig.add(key=True)
    rig.sender.listening = False
    rig.add()
    rig.sender.listening = True
    rig.add()
    key = rig.add(key=True)
    assert len(rig.sender.finished) == 2
    assert rig.sender.finished[-1] is key
    assert rig.outgoing.skipped == 2


def test_the_meter_follows_the_stream_and_the_pace_has_a_floor():
    meter = RateMeter()
    assert (meter.rate, pace_of(meter)) == (0.0, SLOWEST)
    for number in range(90):
        meter.add(10_417, 100 + number / 30)
    assert 2_400_000 < meter.rate < 2_600_000
    assert pace_of(meter) == 4 * meter.rate


def test_a_slow_viewer_asks_for_the_keyframe_of_its_next_probe():
    rig = QueueRig()
    rig.make_slow()
    rig.add()
    assert rig.probes_wanted == 1
    rig.add(key=True)
    rig.outgoing.report(ReceiverReport(0.0, 0, 200_000), RATE, rig.now)
    rig.ticks(0.6)
    rig.outgoing.report(ReceiverReport(0.5, 100, 200_000), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    rig.add()
    assert rig.probes_wanted == 1
    rig.now += SHORTEST_PROBE_INTERVAL
    rig.add()
    assert rig.probes_wanted == 2


def test_the_next_probe_waits_for_packets_that_still_arrive():
    rig = QueueRig()
    rig.make_slow()
    rig.add(key=True)
    rig.ticks(0.6)
    rig.outgoing.report(ReceiverReport(0.0, 0, 200_000, in_flight=9), RATE, rig.now)
    rig.outgoing.report(ReceiverReport(0.0, 20, 200_000, in_flight=8), RATE, rig.now)
    assert rig.outgoing.health is ViewerHealth.SKIPPING
    rig.now += SHORTEST_PROBE_INTERVAL
    rig.outgoing.report(ReceiverReport(0.0, 20, 200_000, in_flight=7), RATE, rig.now)
    rig.add()
    assert rig.probes_wanted == 0
    rig.outgoing.report(ReceiverReport(0.0, 20, 200_000, in_flight=0), RATE, rig.now)
    rig.add()
    assert rig.probes_wanted == 1


def test_the_next_probe_does_not_wait_for_packets_that_are_lost():
    rig = QueueRig()
    rig.make_slow()
    rig.now += ARRIVES_WITHIN
    for _ in range(2):
        rig.outgoing.report(ReceiverReport(0.0, 0, 200_000, in_flight=7), RATE, rig.now)
    rig.now += ARRIVES_WITHIN
    rig.outgoing.report(ReceiverReport(0.0, 0, 200_000, in_flight=7), RATE, rig.now)
    rig.add()
    assert rig.probes_wanted == 1


def test_a_picture_far_larger_than_usual_makes_nobody_slow():
    rig, meter = QueueRig(), RateMeter()
    rig.add(key=True)
    for _ in range(60):
        meter.add(1200, rig.now)
        rig.ticks(1 / 30)
    meter.add(90 * 1200, rig.now)
    huge = rig.add(90, key=True)
    rig.ticks(LONGEST_BACKLOG, pace_of(meter))
    assert rig.sender.finished[-1] is huge
    rig.add()
    assert rig.outgoing.health is ViewerHealth.WELL
