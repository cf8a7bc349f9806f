"""One viewer behind a simulated network, in simulated time: the real send queue, gate, rate meter and RTX budget.

The viewer reports as a browser does: at an interval, at once when packets are missing, and when its bandwidth estimate
falls.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.pacer import TICK, pace_of
from broadcaster.delivery.send_queue import SendQueue
from broadcaster.media.rtp import MAX_PACKET, RtpFrame
from broadcaster.media.rtx import RtxBudget
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import Quality
from broadcaster.stream.bitrate import INTERVAL, SMALL_MIN_FRACTION, BitrateRule
from broadcaster.stream.rendition import LOWERED
from tests.unit.simulated_encoder import SimulatedEncoder, Stream
from tests.unit.simulated_network import Browser, Link, Network, Tally

OVERHEAD = 70
"""Bytes of IP, UDP, RTP and SRTP in each packet."""

LOWEST_BITRATE = 300_000
"""The lowest bit rate of the full rendition."""
AUDIO_PACKET, AUDIO_INTERVAL = 230, 0.02


class Simulation:
    """The viewer's send queue between a simulated encoder and a simulated network."""

    def __init__(
        self,
        stream: Stream,
        link: Link | None = None,
        *,
        small: Stream | None = None,
        report_interval: float = 0.1,
        audio: bool = True,
        is_alone: bool = False,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.network = Network(link or Link(), seed)
        self.browser = Browser()
        self.queue = SendQueue(self, self)
        self.full = SimulatedEncoder(stream)
        self.small = SimulatedEncoder(small or Stream())
        self.small.turn(False)
        self.has_small = small is not None
        self._small_rule = BitrateRule(
            round(self.small.stream.bitrate * SMALL_MIN_FRACTION), round(self.small.stream.bitrate)
        )
        self._full_rule = BitrateRule(LOWEST_BITRATE, round(stream.bitrate), small=round(self.small.stream.bitrate))
        self._is_alone = is_alone
        self._rule_at = 0.0
        self.changes: list[tuple[float, Quality]] = []
        self.padding = 0
        self._budget = RtxBudget()
        self._sequence = 0
        self._picture_of: list[int] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._event_number = itertools.count()
        self._report_interval = report_interval
        self._reports_at = 0.0
        self._audio_at = 0.0 if audio else math.inf
        self._pictures = 0

    @property
    def health(self) -> ViewerHealth:
        """Whether the viewer keeps up."""
        return self.queue.health

    def run(self, seconds: float) -> None:
        """Advance the simulated time."""
        end = self.now + seconds
        while self.now < end:
            self._tick()

    def until_well(self, limit: float) -> float | None:
        """Run until the viewer keeps up; return the seconds, or None if it does not within `limit`."""
        began = self.now
        while self.now - began < limit:
            self._tick()
            if self.health is ViewerHealth.WELL:
                return self.now - began
        return None

    def stall(self) -> None:
        """Make the send queue skip the viewer, by reports of heavy loss."""
        for lost, at in ((self.browser.lost, self.now), (self.browser.lost + 10**6, self.now + 0.6)):
            self.queue.report(ReceiverReport(1.0, lost, None), at)
        self.browser.lost += 10**6
        assert self.health is ViewerHealth.SKIPPING

    def measure(self) -> Tally:
        """Return a new tally, which counts from now on."""
        self.network.tally = Tally(self.now)
        return self.network.tally

    def is_listening(self, now: float) -> bool:
        return True

    def sending_failed(self) -> None:
        raise AssertionError("sending does not fail here")

    def send_audio(self, frame: RtpFrame) -> None:
        raise AssertionError("the send queue sends no audio")

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

    def send_padding(self, packets: int, now: float) -> int:
        for _ in range(packets):
            self._transmit(MAX_PACKET + 28, lambda: None)
        self.padding += packets
        return packets

    @property
    def small_bitrate(self) -> float:
        return self.small.stream.bitrate

    def rate(self, quality: Quality) -> float:
        return self._encoder(quality).meter.rate

    def need_keyframe(self, quality: Quality) -> None:
        self._encoder(quality).request_keyframe(self.now)

    def need_probe(self, quality: Quality) -> None:
        self._encoder(quality).request_probe(self.now)

    def chosen(self, quality: Quality) -> None:
        self.small.turn(quality is Quality.SMALL or self.queue.quality is Quality.SMALL)
        self.changes.append((self.now, quality))

    def quality_chosen(self, quality: Quality) -> None:
        raise AssertionError("the fan-out tells the sender")

    def _tick(self) -> None:
        self.now = end = round(self.now + TICK, 6)
        while self._events and self._events[0][0] <= end:
            self.now, _, event = heapq.heappop(self._events)
            event()
        self.now = end
        if self.now >= self._audio_at:
            self._audio_at += AUDIO_INTERVAL
            self._transmit(AUDIO_PACKET, lambda: None)
        if self.now >= self._pictures / self.full.stream.fps:
            self._encode()
        self._adapt_bitrates()
        if self.queue:
            self.queue.tick(pace_of(self._encoder(self.queue.quality).meter), self.now)
        self._send_nack()
        if self.now >= self._reports_at:
            self._reports_at = self.now + self._report_interval
            self._report()
        self.network.wait(self.now)

    def _adapt_bitrates(self) -> None:
        """Adapt the small encoder's bit rate to the viewer, and the full one's if it is the only one."""
        if self.now < self._rule_at:
            return
        self._rule_at = self.now + INTERVAL
        is_small, queue = self.queue.quality is Quality.SMALL, self.queue
        small, full = (queue.small_estimate, None) if is_small else (None, queue.bandwidth_estimate)
        if (rate := self._small_rule.step([] if small is None else [small])) is not None:
            self.small.set_bitrate(rate)
        if self._is_alone:
            estimates = [] if full is None else [full]
            rate = self._full_rule.step(estimates, has_small=self.has_small, proven=queue.is_proven)
            if rate is not None:
                self.full.set_bitrate(rate)

    @property
    def full_bitrate_goal(self) -> float:
        highest = self.full.stream.bitrate
        return highest if self._is_alone and self._full_rule.rate < LOWERED * highest else 0.0

    def _encode(self) -> None:
        for quality in Quality:
            encoder = self._encoder(quality)
            if encoder.is_on:
                self.queue.add(encoder.encode(self._pictures, self.now), quality, self.now)
                encoder.poll(self.now)
        self._pictures += 1

    def _encoder(self, quality: Quality) -> SimulatedEncoder:
        return self.full if quality is Quality.FULL else self.small

    def _transmit(self, size: int, arrives: Callable[[], None]) -> None:
        """Send a packet of `size` bytes; call `arrives` when it arrives."""
        sent, at = self.now, self.network.arrival(size, self.now)

        def arrive() -> None:
            if self.browser.estimate.packet(size, self.now - sent, self.now):
                remb = round(self.browser.estimate.bits)
                self._later(lambda: self.queue.bandwidth_dropped(remb, self.now))
                self._report()
            round_trip = self.now - sent + self.network.link.delay
            self._budget.round_trip += 0.05 * (round_trip - self._budget.round_trip)
            arrives()

        if at is not None:
            self._at(at, arrive)

    def _later(self, event: Callable[[], None]) -> None:
        """Call `event` after the link's delay: what the browser sends arrives then."""
        self._at(self.now + self.network.link.delay, event)

    def _at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._event_number), event))

    def _video_arrives(self, sequence: int, picture: int) -> None:
        if self.browser.video(sequence, picture, self.now):
            self._report()
            self._send_nack()

    def _send_nack(self) -> None:
        if missing := self.browser.nack(self.now):
            self._later(lambda: self._retransmit(missing))

    def _retransmit(self, missing: list[int]) -> None:
        for number in missing:
            if self._budget.is_spent:
                return
            picture = self._picture_of[number]
            for _ in range(self._budget.take(number, MAX_PACKET, self.now)):
                self._transmit(
                    MAX_PACKET + 28,
                    lambda number=number, picture=picture: self.browser.retransmitted(number, picture, self.now),
                )

    def _report(self) -> None:
        browser = self.browser
        if browser.highest < 0:
            return
        lost, highest, remb = browser.lost, browser.highest, round(browser.estimate.bits) or None

        def take() -> None:
            report = ReceiverReport(0.0, lost, remb, self._sequence - 1 - highest, 2 * self.network.link.delay)
            self.queue.report(report, self.now)

        self._later(take)
