"""What one viewer of `/media` is to get next: little waits for it, and little is under way to it. Time is an argument.

TCP delivers everything, however late, so what a slow network cannot carry must not be handed to it. Two limits hold the
delay down: fragments wait here for at most `MAX_AGE`, then everything is skipped up to the next keyframe; and nothing
more is sent while a message has been under way for `MAX_UNDER_WAY` without an acknowledgement by the page, because a
proxy on the way may buffer megabytes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from broadcaster.outputs.messages import FragmentMessage, InitMessages

MAX_AGE = 0.5
"""Seconds for which a fragment may wait."""

MAX_UNDER_WAY = 0.7
"""Seconds for which a message may be under way, at most, before nothing more is sent."""

MIN_UNDER_WAY = 0.25
"""The same, besides `UNDER_WAY_FACTOR` times the shortest delay: on a short path less has to be under way, and what is
when its bandwidth falls comes late."""

UNDER_WAY_FACTOR = 3

SAMPLE_SIZE = 4000
"""Bytes from which the time that they took tells the bandwidth."""

MIN_DURATION = 0.02
"""Seconds over which the bandwidth is measured at least, because acknowledgements are a bit early or late."""

MAX_PATH_DELAY = 0.1
"""Seconds of a message's delay, at most, that are put down to the length of the path, and not to its bandwidth."""

SAMPLES = 3
"""Bandwidth samples that are kept; the largest counts, because everything that disturbs one makes it smaller."""


class _UnderWay(NamedTuple):
    """A message without acknowledgement."""

    number: int
    sent_at: float
    size: int


class Tail:
    """The queue of one viewer; messages count from 1, init segments and fragments alike."""

    def __init__(self) -> None:
        self.skipped = 0
        self.sent = 0
        self.acknowledged = 0
        self.waits_for_keyframe = True
        self._init: InitMessages | None = None
        self._queue: deque[tuple[FragmentMessage, float]] = deque()
        self._under_way: deque[_UnderWay] = deque()
        self._shortest_delay = float("inf")
        self._path_delay = MAX_PATH_DELAY
        self._acknowledged_at = 0.0
        self._measured_since = 0.0
        self._measured_bytes = 0
        self._bandwidths: deque[float] = deque(maxlen=SAMPLES)

    @property
    def estimate(self) -> int | None:
        """The bandwidth in bits per second, from acknowledgements; None if there were none of large messages."""
        return round(max(self._bandwidths)) if self._bandwidths else None

    @property
    def _max_under_way(self) -> float:
        return min(MAX_UNDER_WAY, MIN_UNDER_WAY + UNDER_WAY_FACTOR * self._shortest_delay)

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._queue)

    def add(self, message: FragmentMessage, now: float) -> None:
        """Take the next fragment, or skip it; what has waited for too long is skipped before."""
        if self._queue and now - self._queue[0][1] > MAX_AGE:
            self.restart()
        if self.waits_for_keyframe:
            if not message.keyframe:
                self.skipped += message.has_picture and self._init is not None
                return
            self.waits_for_keyframe = False
        self._queue.append((message, now))

    def restart(self) -> None:
        """Drop what waits, and wait for the next keyframe."""
        self.skipped += sum(message.has_picture for message, _ in self._queue)
        self._queue.clear()
        self.waits_for_keyframe = True

    def may_send(self, now: float) -> bool:
        """Return whether the network keeps up, so that another message may be sent."""
        return not self._under_way or now - self._under_way[0].sent_at < self._max_under_way

    def next(self, now: float) -> bytes | None:
        """Return the bytes to send next: a fragment, behind its init segment if that is new; None if there are none."""
        if not self._queue or not self.may_send(now):
            return None
        message, _ = self._queue.popleft()
        data = message.frame
        self.sent += 1
        if message.init is not self._init:
            self._init = message.init
            self.sent += 1
            data = message.init.frames + data
        self._under_way.append(_UnderWay(self.sent, now, len(data)))
        return data

    def ack(self, count: int, now: float) -> bool:
        """The viewer has got so many messages; return whether that is news, and can be true."""
        if not self.acknowledged < count <= self.sent:
            return False
        self.acknowledged = count
        while self._under_way and self._under_way[0].number <= count:
            self._measure(self._under_way.popleft(), now)
        return True

    def _measure(self, arrived: _UnderWay, now: float) -> None:
        """Measure the bandwidth while the network is busy: bytes, and the time from when it could begin with them."""
        delay = now - arrived.sent_at
        begun = arrived.sent_at + self._path_delay
        if begun > self._acknowledged_at:  # the network was idle before
            self._end_measurement(self._acknowledged_at)
            self._measured_since = begun
        self._measured_bytes += arrived.size
        if now - self._measured_since >= MIN_DURATION:
            self._end_measurement(now)
        self._acknowledged_at = now
        self._shortest_delay = min(self._shortest_delay, delay)
        if arrived.size < SAMPLE_SIZE:
            self._path_delay = min(self._path_delay, delay)

    def _end_measurement(self, now: float) -> None:
        if self._measured_bytes >= SAMPLE_SIZE:
            self._bandwidths.append(self._measured_bytes * 8 / max(now - self._measured_since, MIN_DURATION))
        self._measured_since, self._measured_bytes = now, 0

    def silence(self, now: float) -> float:
        """Return for how many seconds the oldest message under way has not been acknowledged."""
        return now - self._under_way[0].sent_at if self._under_way else 0.0

    def backlog(self, now: float) -> float:
        """Return for how many seconds the oldest fragment has been waiting."""
        return now - self._queue[0][1] if self._queue else 0.0
