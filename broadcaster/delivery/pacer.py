"""Pacing of one viewer: how many packets it may be sent at a visit, and how long it has been waiting, and for what.

Pacing matters because an unpaced keyframe overruns Wi-Fi queues and freezes the picture.

Viewers are visited one after another, and a visit can be late: with hundreds of viewers, while many connect, or when
the machine is busy. That time says nothing about the viewer's network, so it is told apart from the time in which the
viewer could be sent to, and from the time in which its socket was full.
"""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.media.rtp import MAX_PACKET, RtpFrame
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

LONGEST_STEP = 4 * TICK
"""Seconds up to which a visit is on time. A slow viewer is not sent more for a later one: its network is narrow."""

MANY = 100
"""Viewers from which visits are rarer and bursts larger, in proportion: fewer, larger bursts cost less CPU time."""

RAREST = 4.0
"""Factor by which visits are rarer at most."""

LARGEST = 2.0
"""Factor by which bursts are larger at most: they must fit into the sockets of receivers."""


QUANTUM = 8
"""With many viewers, packets are sent in multiples of so many: most viewers then get the same, prepared once."""


def packets_due(bits_per_second: float, elapsed: float) -> float:
    """Return how many packets of full size a pace allows after `elapsed` seconds."""
    return bits_per_second * min(elapsed, LONGEST_STEP) / 8 / MAX_PACKET


def pace_of(meter: RateMeter) -> float:
    """Return the pace in bits per second at which a viewer without congestion gets what waits."""
    return max(meter.rate * HEADROOM, meter.largest * 8 / SENT_WITHIN, SLOWEST)


def tick_for(viewers: int) -> float:
    """Return `TICK` for so many viewers."""
    return TICK * min(max(viewers / MANY, 1.0), RAREST)


def burst_for(viewers: int) -> int:
    """Return `BURST` for so many viewers."""
    return round(BURST * min(max(viewers / MANY, 1.0), LARGEST))


@dataclass(slots=True)
class WaitingFrame:
    """A picture of which the packets from `next` on are still to be sent.

    `since` is when it began to wait, `served` and `blocked` are what the pacer's clocks showed then.
    """

    frame: RtpFrame
    since: float
    served: float
    blocked: float
    next: int = 0


class Pacer:
    """Allowance and clocks of one viewer; times in seconds.

    `served` advances while the viewer could be sent to, and `blocked` while its socket was full.
    """

    def __init__(self) -> None:
        self.served = 0.0
        self.blocked = 0.0
        self.is_blocked = False
        self._allowance = 0.0
        self._visited_at = 0.0

    def begin(self, now: float, *, blocked: bool) -> None:
        """Something begins to wait; `blocked` if the socket is full."""
        self._visited_at, self.is_blocked = now, blocked

    def reset(self) -> None:
        """Forget the allowance that is left."""
        self._allowance = 0.0

    def wait(self, frame: RtpFrame, now: float, sent: int) -> WaitingFrame:
        """Return a picture that begins to wait after `sent` packets of it."""
        return WaitingFrame(frame, now, self.served, self.blocked, sent)

    def waited(self, waiting: WaitingFrame) -> tuple[float, float]:
        """Return how far `served` and `blocked` have advanced since the picture began to wait."""
        return self.served - waiting.served, self.blocked - waiting.blocked

    def elapsed(self, now: float) -> float:
        """Return the seconds since the last visit."""
        return max(0.0, now - self._visited_at)

    def allow(self, pace: float, now: float, burst: int) -> int:
        """Return how many packets may be sent at this visit, at a `pace` in bits per second.

        A visit that is late makes up for the time missed, up to `burst` packets. Larger bursts than `BURST` are
        multiples of `QUANTUM`.
        """
        due = pace * self.elapsed(now) / 8 / MAX_PACKET
        self._allowance = min(self._allowance + due, burst)
        limit = int(self._allowance)
        return limit if burst == BURST else limit - limit % QUANTUM

    def allow_slow(self, pace: float, now: float) -> int:
        """Return how many packets may be sent at this visit to a slow viewer; time missed is not made up for."""
        self._allowance = min(self._allowance + packets_due(pace, self.elapsed(now)), BURST)
        return int(self._allowance)

    def visited(self, sent: int, now: float, *, blocked: bool) -> None:
        """`sent` packets were sent at this visit; `blocked` if the socket took no more.

        Whether the socket was full between two visits is known only if it is full at both.
        """
        elapsed = self.elapsed(now)
        if not (blocked and self.is_blocked):
            elapsed = min(elapsed, LONGEST_STEP)
        self.served += elapsed
        if blocked or self.is_blocked:
            self.blocked += elapsed
        self._allowance -= sent
        self.begin(now, blocked=blocked)
