"""One viewer behind a simulated network, on a clock of numbers: the real send queue, gate, rate meter and RTX budget.

The viewer reports as a browser does: at an interval, at once when packets are missing, and when its bandwidth estimate
falls.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.send_queue import TICK, SendQueue, pace_of
from broadcaster.media.rtp import MAX_PACKET, MAX_PAYLOAD, RtpFrame, RtpStream
from broadcaster.media.rtx import RtxBudget
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import KeyframeGate, RateMeter
from tests.unit.simulated_network import Browser, Link, Network, Tally

VIDEO = RtpStream(1, 101, "0")
OVERHEAD = 70
"""Bytes of IP, UDP, RTP and SRTP in each packet."""
AUDIO_PACKET, AUDIO_INTERVAL = 230, 0.02


@dataclass(frozen=True, slots=True)
class Stream:
    """What an encoder makes: keyframes of the size of `keyframe` other pictures, `interval` seconds apart or forced."""

    fps: int = 30
    keyframe: float = 10
    interval: float = 2.0
    can_force: bool = True
    bitrate: float = 2_500_000

    def payloads(self, *, keyframe: bool) -> list[bytes]:
        """Of one picture."""
        pictures = max(1.0, self.fps * self.interval)
        usual = self.bitrate / 8 * self.interval / (pictures - 1 + self.keyframe)
        size = usual * (self.keyframe if keyframe else 1)
        count = math.ceil(size / MAX_PAYLOAD)
        return [bytes(round(size / count))] * count


class Simulation:
    """The viewer's send queue with an encoder before it and a network behind it."""

    def __init__(
        self,
        stream: Stream,
        link: Link | None = None,
        *,
        report_interval: float = 0.1,
        audio: bool = True,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.network = Network(link or Link(), seed)
        self.browser = Browser()
        self.queue = SendQueue(self, self._need_keyframe, self._need_probe)
        self.gate = KeyframeGate()
        self._stream = stream
        self._payloads = {keyframe: stream.payloads(keyframe=keyframe) for keyframe in (True, False)}
        self._meter = RateMeter()
        self._budget = RtxBudget()
        self._sequence = 0
        self._picture_of: list[int] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._event_number = itertools.count()
        self._report_interval = report_interval
        self._reports_at = 0.0
        self._audio_at = 0.0 if audio else math.inf
        self._pictures = 0
        self._keyframe_at = -math.inf
        self._is_forced = False

    @property
    def health(self) -> ViewerHealth:
        """Of the viewer."""
        return self.queue.health

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self._tick()

    def until_well(self, limit: float) -> float | None:
        """Seconds until the viewer is well; None if it is not within the limit."""
        began = self.now
        while self.now - began < limit:
            self._tick()
            if self.health is ViewerHealth.WELL:
                return self.now - began
        return None

    def stall(self) -> None:
        """The viewer is skipped: half of all packets seem lost."""
        for lost, at in ((self.browser.lost, self.now), (self.browser.lost + 10**6, self.now + 0.6)):
            self.queue.report(ReceiverReport(1.0, lost, None), self._meter.rate, at)
        self.browser.lost += 10**6
        assert self.health is ViewerHealth.SKIPPING

    def measure(self) -> Tally:
        """Count from now on."""
        self.network.tally = Tally(self.now)
        return self.network.tally

    network = "192.0.2.1"

    def is_listening(self, now: float) -> bool:
        return True

    def sending_failed(self) -> None:
        raise AssertionError("nothing breaks here")

    def send_audio(self, frame: RtpFrame) -> None:
        raise AssertionError("audio does not come this way")

    def send_video(self, frame: RtpFrame, first: int, end: int, now: float) -> int:
        if first == 0:
            self.browser.pictures.append((frame.keyframe, len(frame)))
        picture = len(self.browser.pictures) - 1
        for payload in frame.payloads[first:end]:
            sequence, self._sequence = self._sequence, self._sequence + 1
            self._picture_of.append(picture)
            self._transmit(len(payload) + OVERHEAD, lambda sequence=sequence: self._video_arrives(sequence, picture))
            self._budget.sent(len(payload))
        return end - first

    def _tick(self) -> None:
        self.now = end = round(self.now + TICK, 6)
        while self._events and self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = end
        if self.now >= self._audio_at:
            self._audio_at += AUDIO_INTERVAL
            self._transmit(AUDIO_PACKET, lambda: None)
        if self.now >= self._pictures / self._stream.fps:
            self._encode()
        if self.queue:
            self.queue.tick(pace_of(self._meter), TICK, self.now)
        self._ask_again()
        if self.now >= self._reports_at:
            self._reports_at = self.now + self._report_interval
            self._report()
        self.network.wait(self.now)

    def _encode(self) -> None:
        keyframe = self._is_forced or self.now - self._keyframe_at >= self._stream.interval - TICK
        if keyframe:
            self._keyframe_at, self._is_forced = self.now, False
            self.gate.keyframe_published()
        frame = RtpFrame(VIDEO, self._payloads[keyframe], self._pictures, self.now, keyframe)
        self._pictures += 1
        self._meter.add(frame.size, self.now)
        self.queue.add(frame, self.now)
        self._poll()

    def _need_keyframe(self) -> None:
        if self._stream.can_force:
            self.gate.request("viewer")
            self._poll()

    def _need_probe(self) -> None:
        if self._stream.can_force:
            self.gate.request_probe()
            self._poll()

    def _poll(self) -> None:
        self._is_forced |= self.gate.poll(self.now)

    def _transmit(self, size: int, arrives: Callable[[], None]) -> None:
        """Send a packet; what its arrival means for the bandwidth estimate is the same for all."""
        sent, at = self.now, self.network.arrival(size, self.now)

        def arrive() -> None:
            if self.browser.estimate.packet(size, self.now - sent, self.now):
                remb = round(self.browser.estimate.bits)
                self._later(lambda: self.queue.bandwidth_dropped(remb, self._meter.rate, self.now))
                self._report()
            round_trip = self.now - sent + self.network.link.delay
            self._budget.round_trip += 0.05 * (round_trip - self._budget.round_trip)
            arrives()

        if at is not None:
            self._at(at, arrive)

    def _later(self, event: Callable[[], None]) -> None:
        """What the browser sends back arrives after the link's delay."""
        self._at(self.now + self.network.link.delay, event)

    def _at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._event_number), event))

    def _video_arrives(self, sequence: int, picture: int) -> None:
        if self.browser.video(sequence, picture, self.now):
            self._report()
            self._ask_again()

    def _ask_again(self) -> None:
        if missing := self.browser.nack(self.now):
            self._later(lambda: self._repeat(missing))

    def _repeat(self, missing: list[int]) -> None:
        for number in missing:
            if self._budget.is_spent:
                return
            picture = self._picture_of[number]
            for _ in range(self._budget.take(number, MAX_PACKET, self.now)):
                self._transmit(
                    MAX_PACKET + 28,
                    lambda number=number, picture=picture: self.browser.repeated(number, picture, self.now),
                )

    def _report(self) -> None:
        browser = self.browser
        if browser.highest < 0:
            return
        lost, highest, remb = browser.lost, browser.highest, round(browser.estimate.bits) or None

        def take() -> None:
            report = ReceiverReport(0.0, lost, remb, self._sequence - 1 - highest, 2 * self.network.link.delay)
            self.queue.report(report, self._meter.rate, self.now)

        self._later(take)
