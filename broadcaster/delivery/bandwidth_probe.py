"""Bandwidth probe: measures what a slow viewer's network carries, by sending video.

REMB cannot tell: it follows what arrives, so it falls to the rate of the audio while pictures are skipped, and
grows by only 8 % a second afterwards. A probe sends a keyframe and the pictures after it, slowly at first. Receiver
reports name the highest packet that has arrived, so it is known how many are in flight, and how fast they arrive. The
probe raises its pace report by report, and halves it when a queue builds up or packets get lost.
"""

from __future__ import annotations

from collections import deque

SLOWEST = 75_000
"""Lowest pace of a probe in bits per second: with the audio, it leaves room on 200 kbit/s."""

FIRST_SHARE = 1 / 8
"""Fraction of the stream's rate at which a probe begins: some pictures arrive even on a very narrow network."""

HIGHEST_SHARE = 4.0
"""Fraction of the stream's rate that is the highest pace of a probe."""

STEP = 0.2
"""Seconds, besides the round trip, between two raises of the pace: reports must be able to show the effect."""

GROWTH = 2.0
"""Factor by which the pace rises."""

LONG_STEP = 0.5
"""Seconds without a queue after which the pace rises by `LONG_GROWTH`: some receivers report only once a second."""

LONG_GROWTH = 4.0
"""Factor by which the pace rises after `LONG_STEP`."""

GENTLE_GROWTH = 0.25
"""While a keyframe is sent, and after a queue, the pace rises by this fraction, then by twice as much, up to
`GROWTH`: a keyframe of which packets get lost was sent in vain."""

SLACK = 0.1
"""Seconds, besides two round trips, for which packets may be in flight without a queue: Wi-Fi sends in bursts, and the
arrival rate lags a rising pace by a round trip."""

WINDOW = 0.3
"""Seconds over which the arrival rate is measured."""

MUCH_LOSS = 0.1
"""Fraction of packets lost that, together with a queue, means a narrow network."""

HEAVY_LOSS = 0.3
"""Fraction of packets lost that means one by itself; less without a queue is a bad radio, which RTX repairs."""

FEW = 2
"""Packets that count neither as lost nor as in flight: a fraction of so small a number means nothing."""

LONGEST_KEYFRAME = 6.0
"""Seconds after which the pictures behind the probe's keyframe are skipped, if it has still not been sent."""

LATE = 1.5
"""Seconds, besides `LATE_ROUND_TRIPS`, that pictures may get later after the keyframe: longer than it takes to get
faster than the stream."""

LATE_ROUND_TRIPS = 4
"""Round trips that this takes: one for each raise of the pace from `FIRST_SHARE` on, and one more."""


class BandwidthProbe:
    """A keyframe and the pictures after it, in a stream of `rate`; rates in bits per second, time is an argument.

    `pace` is what to send at, `first_pace` what the next probe should begin with if this one fails.
    """

    def __init__(self, rate: float, first_pace: float, now: float) -> None:
        self.pace = max(SLOWEST, min(first_pace, rate * FIRST_SHARE))
        self.first_pace = self.pace
        self.has_failed = False
        self._rate = rate
        self._round_trip = 0.0
        self._sent = 0
        self._sent_before_change = 0
        self._changed_at = now
        self._has_risen = False
        self._had_queue = False
        self._growth = GENTLE_GROWTH if first_pace < rate * FIRST_SHARE else GROWTH
        self._is_confirmed = False
        self._lost: int | None = None
        self._arrivals = deque([(now, 0)])
        self._keyframe_is_sent = False
        self._longest_wait = LONGEST_KEYFRAME

    @property
    def is_passed(self) -> bool:
        """Whether the network carries the stream, as the latest reports show."""
        return self._is_confirmed and self.pace >= self._rate

    def is_late(self, age: float) -> bool:
        """Whether the oldest waiting picture, `age` seconds old, shows that the probe cannot catch up."""
        return age > self._longest_wait

    def sent(self, packets: int) -> None:
        """Count packets sent for this probe."""
        self._sent += packets

    def keyframe_sent(self, age: float) -> None:
        """A keyframe has been sent, `age` seconds after it was made; later ones than the first do not count."""
        if not self._keyframe_is_sent:
            self._keyframe_is_sent = True
            self._longest_wait = age + LATE + LATE_ROUND_TRIPS * self._round_trip

    def report(self, lost: int, in_flight: int, round_trip: float, rate: float, now: float) -> None:
        """Take a report: packets lost in total and in flight, the round trip without queues, the stream's rate now."""
        self._rate, self._round_trip = rate, round_trip
        arrived = self._sent - in_flight
        has_queue = in_flight > FEW + self._arrival_rate(arrived, now) * (2 * round_trip + SLACK)
        self._had_queue |= has_queue
        is_lossy = self._is_lossy(lost, arrived)
        self.has_failed = is_lossy and self._keyframe_is_sent
        has_waited = now - self._changed_at >= STEP + round_trip
        if is_lossy or has_queue:
            self._is_confirmed = False
            if self._sent > self._sent_before_change and (self._has_risen or has_waited):
                self._lost = lost
                self._lower(now)
        elif arrived > self._sent_before_change:
            self._is_confirmed = True
            if has_waited:
                self._raise(now)

    def _is_lossy(self, lost: int, arrived: int) -> bool:
        if self._lost is None or arrived <= 0:  # what was lost before the probe shows with its first packet to arrive
            self._lost = lost
        return lost - self._lost > FEW + (MUCH_LOSS if self._had_queue else HEAVY_LOSS) * arrived

    def _arrival_rate(self, arrived: int, now: float) -> float:
        """Return the arrival rate in packets per second."""
        self._arrivals.append((now, arrived))
        while len(self._arrivals) > 2 and self._arrivals[1][0] <= now - WINDOW:
            self._arrivals.popleft()
        since, before = self._arrivals[0]
        return max(0, arrived - before) / (now - since) if now > since else 0.0

    def _lower(self, now: float) -> None:
        self._growth, self._has_risen = GENTLE_GROWTH, False
        self._change(1 / 2, now)

    def _raise(self, now: float) -> None:
        self._has_risen, self._had_queue = True, False
        if now - self._changed_at >= LONG_STEP + self._round_trip:
            self._change(LONG_GROWTH, now)
        elif self._growth < 1 and not self._keyframe_is_sent:
            self._change(1 + self._growth, now)
            self._growth += GENTLE_GROWTH
        else:
            self._change(GROWTH, now)

    def _change(self, factor: float, now: float) -> None:
        before, self.pace = self.pace, max(SLOWEST, min(self.pace * factor, self._rate * HIGHEST_SHARE))
        if not self._keyframe_is_sent:
            self.first_pace = min(self.first_pace, self.pace)
        if min(before, self.pace) < self._rate:
            self._is_confirmed = False
        self._changed_at, self._sent_before_change = now, self._sent
