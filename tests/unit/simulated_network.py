"""A simulated network and a simulated browser behind it, in simulated time.

The network has a rate, a queue of a limited depth, random loss and a delay. The browser notices missing packets and
decodes whole pictures only.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field

from broadcaster.delivery.pacer import TICK

NACK_INTERVAL, NACK_TRIES = 0.1, 10
"""Seconds between two NACKs for a packet, and their maximum number, of a browser that does not know the round trip."""


@dataclass(frozen=True, slots=True)
class Link:
    """Rate in bits per second, queue limit in seconds, fraction of packets lost at random, one-way delay in seconds."""

    rate: float = math.inf
    queue: float = 0.3
    loss: float = 0.0
    delay: float = 0.01


@dataclass(slots=True)
class Tally:
    """What was sent into the network since `began`; `waited` is the integral of the queue's depth over time."""

    began: float
    packets: int = 0
    bits: float = 0.0
    dropped: int = 0
    waited: float = 0.0


class Network:
    """Delivers packets after queueing and propagation delay, or drops them."""

    def __init__(self, link: Link, seed: int) -> None:
        self.link = link
        self.tally = Tally(0.0)
        self._busy_until = 0.0
        self._random = random.Random(seed)

    def arrival(self, size: int, now: float) -> float | None:
        """Return when a packet of `size` bytes arrives; None if it is lost."""
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
        """Add the queue's present depth to the tally; called once per tick."""
        self.tally.waited += max(0.0, self._busy_until - now) * TICK


@dataclass(slots=True)
class BandwidthEstimate:
    """A simple REMB: falls to 0.85 of the incoming rate when delays grow, else grows by 8 % per second."""

    bits: float = 0.0
    _arrived: deque[tuple[float, int, float]] = field(default_factory=deque)
    _size: int = 0

    def packet(self, size: int, delay: float, now: float) -> bool:
        """Take a packet of `size` bytes that arrived after `delay` seconds; return whether the estimate falls."""
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
        """Receive a packet of `picture`; return whether packets before it are missing."""
        has_gap = sequence > self.highest + 1
        for number in range(self.highest + 1, sequence):
            self._missing[number] = -math.inf, 0
        self.lost += max(0, sequence - self.highest - 1)
        self.highest = max(self.highest, sequence)
        self._packet(picture, now)
        return has_gap

    def retransmitted(self, sequence: int, picture: int, now: float) -> None:
        """Receive a missing packet on the RTX stream."""
        if self._missing.pop(sequence, None) is not None:
            self._packet(picture, now)

    def nack(self, now: float) -> list[int]:
        """Return the missing packets to request now."""
        due = [number for number, (requested, _) in self._missing.items() if now - requested >= NACK_INTERVAL]
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
        """Return the next complete picture, or a later complete keyframe; None if there is neither."""
        for number in range(self._last_shown + 1, len(self.pictures)):
            keyframe, missing = self.pictures[number]
            if not missing and (keyframe or number == self._last_shown + 1):
                return number
        return None
