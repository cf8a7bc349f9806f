"""A send queue in simulated time, with a sender that checks the order of packets."""

from __future__ import annotations

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.pacer import TICK
from broadcaster.delivery.send_queue import SendQueue
from broadcaster.media.rtp import RtpFrame, RtpStream
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import Quality

VIDEO = RtpStream(1, "0")
RATE = 2_500_000.0


class OrderCheckingSender:
    """Accepts `capacity` packets; asserts that frames are complete and in order."""

    def __init__(self) -> None:
        self.network = "192.0.2.1"
        self.capacity = 10**9
        self.listening = True
        self.packets = 0
        self.finished: list[RtpFrame] = []
        self._next = 0

    def is_listening(self, now: float) -> bool:
        return self.listening

    def sending_failed(self) -> None:
        raise AssertionError("the sender reports no error in these tests")

    def send_audio(self, frame: RtpFrame) -> None:
        raise AssertionError("a send queue carries no audio")

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        assert first == self._next
        end = min(end, first + self.capacity)
        self.capacity -= end - first
        self.packets += end - first
        self._next = end % len(frame)
        if end == len(frame):
            self.finished.append(frame)
        return end - first


class SendQueueDriver:
    """A send queue and the keyframes and probes that it requests."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sender = OrderCheckingSender()
        self.keyframes_requested = 0
        self.probes_requested = 0
        self.chosen_qualities: list[Quality] = []
        self.has_small = False
        self.queue = SendQueue(self.sender, self)
        self._number = 0

    small_bitrate = 400_000.0
    full_bitrate_goal = 0.0

    def rate(self, quality: Quality) -> float:
        return RATE

    def need_keyframe(self, quality: Quality) -> None:
        self.keyframes_requested += 1

    def need_probe(self, quality: Quality) -> None:
        self.probes_requested += 1

    def chosen(self, quality: Quality) -> None:
        self.chosen_qualities.append(quality)

    def add(self, packets: int = 9, *, key: bool = False) -> RtpFrame:
        self._number += 1
        frame = RtpFrame(VIDEO, [b"x"] * packets, self._number, self.now, key)
        self.queue.add(frame, Quality.FULL, self.now)
        return frame

    def ticks(self, seconds: float, pace: float = 4 * RATE) -> None:
        for _ in range(round(seconds / TICK)):
            self.now += TICK
            if self.queue:
                self.queue.tick(pace, self.now)

    def probe(self) -> None:
        """Probe over a network without queue or loss until the viewer is healthy again."""
        self.add(13, key=True)
        began = self.now
        while self.queue.health is not ViewerHealth.WELL:
            self.ticks(1 / 30)
            self.add(9)
            self.queue.report(ReceiverReport(0.0, 0, 20_000), self.now)
            assert self.now - began < 3

    def make_slow(self) -> None:
        self.add(key=True)
        for _ in range(4):
            self.queue.report(ReceiverReport(0.0, 0, 200_000), self.now)
            self.ticks(1)
        assert self.queue.health is ViewerHealth.SKIPPING
