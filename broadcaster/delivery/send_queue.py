"""The send queue of one viewer: which pictures wait, which are skipped, and how they are paced.

Pacing matters because an unpaced keyframe overruns Wi-Fi queues and freezes the picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.delivery.congestion import CongestionController, ViewerHealth
from broadcaster.media.rtp import MAX_PACKET, RtpFrame
from broadcaster.model.stats import ReceiverReport
from broadcaster.ports import MediaSender
from broadcaster.stream.rendition import RateMeter

BURST = 16
"""Packets of a picture that are sent at once: an ordinary picture of a 4 Mbit/s stream is not paced at all."""

TICK = 0.005
"""Seconds between two steps of sending what was not sent at once."""

HEADROOM = 4.0
"""The pace as a multiple of the stream's rate: a keyframe ten times the ordinary size is sent within three frames."""

SLOWEST = 1_000_000
"""The lowest pace in bits per second, however low the stream's rate is."""

SENT_WITHIN = 0.15
"""Seconds within which even the largest picture is sent: our own pacing must not make a viewer look slow."""

_LONGEST_STEP = 4 * TICK
"""A late tick does not make up for all the time that it missed: the network would get a burst."""


def packets_due(bits_per_second: float, elapsed: float) -> float:
    """Return how many packets of full size a pace allows after `elapsed` seconds."""
    return bits_per_second * min(elapsed, _LONGEST_STEP) / 8 / MAX_PACKET


def pace_of(meter: RateMeter) -> float:
    """Return the pace in bits per second at which a viewer without congestion gets what waits."""
    return max(meter.rate * HEADROOM, meter.largest * 8 / SENT_WITHIN, SLOWEST)


@dataclass(slots=True)
class _Waiting:
    """A picture of which the packets from `next` on are still to be sent."""

    frame: RtpFrame
    since: float
    next: int = 0


class SendQueue:
    """One viewer's pictures: begins with a keyframe, is paced, and skips whole pictures to the next keyframe.

    `need_keyframe` is called when the viewer cannot go on without one, `need_probe` when it is slow and the next
    bandwidth probe could begin with one. A picture that was started is completed.
    """

    def __init__(self, sender: MediaSender, need_keyframe: Callable[[], None], need_probe: Callable[[], None]) -> None:
        self.sender = sender
        self.skipped = 0
        self._need_keyframe = need_keyframe
        self._need_probe = need_probe
        self._congestion = CongestionController()
        self._waits_for_keyframe = True
        self._queue: deque[_Waiting] = deque()
        self._allowance = 0.0

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._queue)

    @property
    def health(self) -> ViewerHealth:
        """How the viewer keeps up."""
        return self._congestion.health

    @property
    def bandwidth_estimate(self) -> int | None:
        """The viewer's bandwidth estimate in bits per second; None if there is none."""
        return self._congestion.bandwidth_estimate

    def backlog(self, now: float) -> float:
        """Seconds for which the oldest picture has been waiting."""
        return now - self._queue[0].since if self._queue else 0.0

    def restart(self) -> None:
        """Drop what waits, and wait for the next keyframe."""
        self._waits_for_keyframe = True
        self._drop()

    def add(self, frame: RtpFrame, now: float) -> None:
        """Take a picture and send what the burst allows at once, or skip it."""
        if self._queue and self._congestion.backlog(self.backlog(now), now):
            self.restart()
        if not self._wanted(frame, now):
            self.skipped += 1
            return
        taken = 0
        if not self._queue and self._congestion.health is ViewerHealth.WELL:
            taken = self.sender.send_video(frame, 0, min(BURST, len(frame.payloads)), now)
            self._congestion.sent(taken, now)
            if taken == len(frame.payloads):
                return
        self._queue.append(_Waiting(frame, now, taken))

    def replay(self, frames: list[RtpFrame], now: float) -> None:
        """Begin with the pictures since the last keyframe."""
        self._waits_for_keyframe = False
        self._queue.extend(_Waiting(frame, now) for frame in frames)
        self._send(BURST, now)

    def tick(self, pace: float, elapsed: float, now: float) -> None:
        """Send what the pace allows after `elapsed` seconds."""
        pace = self._congestion.pace(pace)
        self._allowance = min(self._allowance + packets_due(pace, elapsed), BURST)
        self._allowance -= self._send(int(self._allowance), now)

    def report(self, report: ReceiverReport, rate: float, now: float) -> None:
        """Take a receiver report; `rate` is the stream's in bits per second."""
        if self._congestion.report(report, rate, now):
            self.restart()

    def bandwidth_dropped(self, remb: int, rate: float, now: float) -> None:
        """REMB is lower than a moment ago; both in bits per second, `rate` is the stream's."""
        if self._congestion.bandwidth_dropped(remb, rate, now):
            self.restart()

    def _wanted(self, frame: RtpFrame, now: float) -> bool:
        if not self.sender.is_listening(now):
            self.restart()
            return False
        if self._congestion.health is ViewerHealth.SKIPPING:
            return self._begins_probe(frame, now)
        if self._waits_for_keyframe and not frame.keyframe:
            self._need_keyframe()
            return False
        self._waits_for_keyframe = False
        return True

    def _begins_probe(self, frame: RtpFrame, now: float) -> bool:
        """Begin a bandwidth probe of a slow viewer with a keyframe, as soon as the last probe's has been sent."""
        if self._queue or self._congestion.is_draining(now):
            return False
        if not frame.keyframe:
            if self._congestion.probe_is_due(now):
                self._need_probe()
            return False
        self._waits_for_keyframe = False
        self._allowance = 0.0
        self._congestion.begin_probe(now)
        return True

    def _drop(self) -> None:
        """Skip the pictures of which nothing has been sent."""
        begun = [waiting for waiting in self._queue if waiting.next]
        self.skipped += len(self._queue) - len(begun)
        self._queue = deque(begun)

    def _send(self, limit: int, now: float) -> int:
        """Send up to `limit` packets; returns how many the socket took."""
        sent = 0
        while self._queue and sent < limit:
            waiting = self._queue[0]
            end = min(waiting.next + limit - sent, len(waiting.frame))
            taken = self.sender.send_video(waiting.frame, waiting.next, end, now)
            sent += taken
            waiting.next += taken
            self._congestion.sent(taken, now)
            if waiting.next < end:
                break
            if waiting.next == len(waiting.frame):
                self._queue.popleft()
                self._congestion.picture_sent(waiting.frame.keyframe, not self._queue, now - waiting.since)
        return sent
