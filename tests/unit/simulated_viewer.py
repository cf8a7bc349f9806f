"""One viewer behind a simulated network, on a clock of numbers: the real send queue, gate, rate meter and RTX budget.

The network has a rate, a queue of a limited depth, random loss and a delay. The viewer reports as a browser does: at an
interval, at once when packets are missing, and when its bandwidth estimate falls.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.send_queue import TICK, SendQueue, pace_of
from broadcaster.media.rtp import MAX_PACKET, MAX_PAYLOAD, RtpFrame, RtpStream
from broadcaster.media.rtx import RtxBudget
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import KeyframeGate, RateMeter

VIDEO = RtpStream(1, 101, "0")
OVERHEAD = 70
"""Bytes of IP, UDP, RTP and SRTP in each packet."""
AUDIO_PACKET, AUDIO_INTERVAL = 230, 0.02
NACK_INTERVAL, NACK_TRIES = 0.1, 10
"""Of a browser that does not know the round trip."""


@dataclass(frozen=True, slots=True)
class Link:
    """Bits a second, seconds that packets may wait in the queue, share lost at random, seconds one way."""

    rate: float = math.inf
    queue: float = 0.3
    loss: float = 0.0
    delay: float = 0.01


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


@dataclass(slots=True)
class Tally:
    """What went into the network since `began`; `waited` adds up the queue's depth over time."""

    began: float
    packets: int = 0
    bits: float = 0.0
    dropped: int = 0
    waited: float = 0.0


class Network:
    """Delivers packets after their time in queue and on the way, or not at all."""

    def __init__(self, link: Link, seed: int) -> None:
        self.link = link
        self.tally = Tally(0.0)
        self._busy_until = 0.0
        self._random = random.Random(seed)

    def arrival(self, size: int, now: float) -> float | None:
        """When a packet of `size` bytes arrives; None if it is lost."""
        link, tally = self.link, self.tally
        tally.packets += 1
        tally.bits += size * 8
        leaves = max(self._busy_until, now) + size * 8 / link.rate
        if self._random.random() < link.loss or leaves - now > link.queue:
            tally.dropped += 1
            return None
        self._busy_until = leaves
        return leaves + link.delay

    def wait(self, now: float) -> None:
        """A tick passes."""
        self.tally.waited += max(0.0, self._busy_until - now) * TICK


@dataclass(slots=True)
class BandwidthEstimate:
    """A simple REMB: follows what arrives when packets get later and later, else grows by 8 % a second."""

    bits: float = 0.0
    _arrived: deque[tuple[float, int, float]] = field(default_factory=deque)
    _size: int = 0

    def packet(self, size: int, delay: float, now: float) -> bool:
        """A packet of `size` bytes was `delay` seconds on its way; True if the estimate falls."""
        arrived = self._arrived
        since = now - arrived[-1][0] if arrived else 0.0
        arrived.append((now, size, delay))
        self._size += size
        while arrived[0][0] < now - 0.5:
            self._size -= arrived.popleft()[1]
        incoming = self._size * 8 / 0.5
        if not self.bits:
            self.bits = incoming if now > 2 else 0.0
        elif delay - arrived[0][2] > 0.03 and 0.85 * incoming < self.bits:
            self.bits = 0.85 * incoming
            return True
        elif self.bits < 1.5 * incoming:
            self.bits *= 1.08**since
        return False


class Browser:
    """Receives packets; `shown` are the times of pictures that could be decoded."""

    def __init__(self) -> None:
        self.highest = -1
        self.lost = 0
        self.estimate = BandwidthEstimate()
        self.shown: list[float] = []
        self.pictures: list[tuple[bool, int]] = []
        """Of each picture that was sent: whether it is a keyframe, and how many packets are missing."""
        self._missing: dict[int, tuple[float, int]] = {}
        self._last_shown = -1

    def video(self, sequence: int, picture: int, now: float) -> bool:
        """A packet of `picture` arrives; True if others before it are missing."""
        has_gap = sequence > self.highest + 1
        for number in range(self.highest + 1, sequence):
            self._missing[number] = -math.inf, 0
        self.lost += max(0, sequence - self.highest - 1)
        self.highest = max(self.highest, sequence)
        self._packet(picture, now)
        return has_gap

    def repeated(self, sequence: int, picture: int, now: float) -> None:
        """A missing packet arrives after all, on the RTX stream."""
        if self._missing.pop(sequence, None) is not None:
            self._packet(picture, now)

    def nack(self, now: float) -> list[int]:
        """Missing packets to ask for now."""
        due = [number for number, (asked, _) in self._missing.items() if now - asked >= NACK_INTERVAL]
        for number in due:
            tries = self._missing[number][1] + 1
            self._missing[number] = now, tries
            if tries >= NACK_TRIES:
                del self._missing[number]
        return due

    def _packet(self, picture: int, now: float) -> None:
        keyframe, missing = self.pictures[picture]
        self.pictures[picture] = keyframe, missing - 1
        while (following := self._decodable()) is not None:
            self._last_shown = following
            self.shown.append(now)

    def _decodable(self) -> int | None:
        """The next whole picture that continues what was shown, or a whole keyframe after it."""
        for number in range(self._last_shown + 1, len(self.pictures)):
            keyframe, missing = self.pictures[number]
            if not missing and (keyframe or number == self._last_shown + 1):
                return number
        return None


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

    def broke(self) -> None:
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
