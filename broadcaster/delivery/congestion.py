"""Congestion control of one viewer: when it is too slow for the stream, and when it has recovered.

A slow viewer is skipped to the next keyframe, in whole pictures, so that its picture is never broken. Each keyframe
begins a bandwidth probe. Too much loss, or pictures that get later and later, end it; when it has caught up with the
stream, and reports show no queue, the viewer is well again, whatever REMB says.
"""

from __future__ import annotations

from enum import StrEnum

from broadcaster.delivery.bandwidth_probe import FEW, MUCH_LOSS, BandwidthProbe
from broadcaster.delivery.ramp_up import RampUp
from broadcaster.media.rtp import MAX_PACKET
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import SHORTEST_PROBE_INTERVAL

LONGEST_BACKLOG = 0.2
"""Seconds that the oldest picture may wait for a full socket."""

LOW_SHARE = 0.8
"""A REMB below this fraction of the stream's rate means that the viewer's network carries less than is sent."""

LOW_FOR = 2.25
"""Seconds for which REMB must be low without rising; with much loss it counts at once. Longer than a keyframe can raise
the measured rate of the stream, which is an average over two seconds."""

RISE = 1.05
"""Factor by which REMB must grow within `LOW_FOR` to count as rising: a recovering one grows by 8 % a second."""

COLLAPSED = 0.5
"""Fraction of the rate below which a REMB that was high a moment ago means that a queue has built up already."""

WAVERS = 0.7
"""Fraction of the REMB before above which a lower one does not refute what a padding probe has proven."""

NOTICED = 0.75
"""Seconds that browsers need to notice a collapse; what is sent meanwhile is in the queue."""

LONGEST_DRAIN = 2.5
"""Longest pause in seconds to let the queue drain: its depth is not known."""

LOSS_WINDOW = 0.5
"""Seconds over which loss is measured: reports come with every NACK, and cover a few packets each."""

HOPELESS_LOSS = 0.5
"""Fraction of packets lost that counts without a low REMB: RTX cannot repair it, and the first REMB takes seconds."""

ARRIVES_WITHIN = 1.2
"""Seconds after which packets in flight count as lost, if no report has shown that another one arrived."""

UNKNOWN_ROUND_TRIP = 0.1
"""Round-trip time in seconds that is assumed until a report contains it."""


AUDIO_RATE = 80_000
"""Bits per second of the audio with its headers: 64 kbit/s of Opus in 50 packets a second."""

SKIPPING_SHARE = 0.8
"""Fraction of the bandwidth estimate that the small rendition uses while a viewer cannot keep up with it."""


class ViewerHealth(StrEnum):
    """Whether a viewer keeps up."""

    WELL = "well"
    SKIPPING = "skipping"
    PROBING = "probing"


class LossMeter:
    """The fraction of a stream's packets that a viewer lost, window by window."""

    def __init__(self) -> None:
        self.share = 0.0
        self._began = float("-inf")
        self._lost = 0

    def restart(self, lost: int) -> None:
        """Count only what gets lost after `lost` packets."""
        self.share, self._lost = 0.0, lost

    def add(self, lost: int, rate: float, now: float) -> None:
        """`lost` packets of a stream of `rate` bits per second have been lost in total."""
        if now - self._began >= LOSS_WINDOW:
            bits = (lost - self._lost) * MAX_PACKET * 8
            self.share = bits / (rate * (now - self._began)) if rate else 0.0
            self._began, self._lost = now, lost


class CongestionController:
    """Decides how one viewer is served; rates in bits per second, time is an argument."""

    def __init__(self) -> None:
        self.health = ViewerHealth.WELL
        self._remb: int | None = None
        self._is_doubted = False
        self._proven: int | None = None
        self._ramp_up = RampUp()
        self._loss = LossMeter()
        self._probe = BandwidthProbe(0, 0, 0)
        self._probed_at = float("-inf")
        self._round_trip = float("inf")
        self._in_flight = 0
        self._arriving_until = float("-inf")
        self._low_since: float | None = None
        self._low_mark = 0.0
        self._high = (0, float("-inf"))
        self._collapse = (0.0, float("-inf"))
        self._drained_at = float("-inf")
        self._rate = 0.0

    @property
    def bandwidth_estimate(self) -> int | None:
        """REMB in bits per second; None if there is none, while it ramps up, or has not recovered from a pause.

        Until it has recovered, what a padding probe has proven counts instead.
        """
        if self._proven is not None:
            return max(self._proven, self._remb or 0)
        return self._remb if self._ramp_up.is_over and not self._is_doubted else None

    @property
    def is_proven(self) -> bool:
        """Whether the estimate is what a padding probe has proven."""
        return self._proven is not None

    def prove(self, rate: float) -> None:
        """A padding probe has shown that the network carries `rate`, to which REMB takes long to rise."""
        self._proven, self._low_since = round(rate), None

    @property
    def small_estimate(self) -> int | None:
        """What the small rendition may use of the bandwidth, in bits per second; None if there is no estimate.

        The bandwidth estimate without the audio's part. While pictures are skipped, the latest REMB counts, and less
        of it: the small rendition is the last one, so its bit rate falls until it passes.
        """
        if self.health is ViewerHealth.WELL:
            estimate, factor = self.bandwidth_estimate, 1.0
        else:
            estimate, factor = self._remb, SKIPPING_SHARE
        return None if estimate is None else round(max(0, estimate - AUDIO_RATE) * factor)

    def bandwidth_dropped(self, remb: int, rate: float, now: float) -> bool:
        """Take a REMB that came between reports and is lower than before, in a stream of `rate`.

        True if the waiting pictures are to be skipped.
        """
        before, self._remb = self._remb, remb
        self._ramp_up.take(remb, rate, now)
        if self._proven is not None and before is not None and remb > WAVERS * before:
            return False
        self._is_doubted, self._proven = False, None
        return self._collapses(remb, rate, now)

    def is_draining(self, now: float) -> bool:
        """Whether the bottleneck still has a queue from before its collapse."""
        return now < self._drained_at

    def backlog(self, served: float, blocked: float, now: float) -> bool:
        """The oldest picture waits although the viewer could be sent to for `served` seconds (`Pacer`).

        For `blocked` seconds its socket was full: at the pace of a viewer that is well, nothing else is a sign of its
        network. True if the waiting pictures are to be skipped.
        """
        if self.health is ViewerHealth.PROBING:
            return self._probe.is_late(served) and self._skip(now)
        return self.health is ViewerHealth.WELL and blocked > LONGEST_BACKLOG and self._skip(now)

    def report(self, report: ReceiverReport, rate: float, now: float) -> bool:
        """Take a report in a stream of `rate`; True if the waiting pictures are to be skipped."""
        self._rate = rate
        self._watch_flight(report, now)
        self._loss.add(report.lost, rate, now)
        low_long = self._is_low_long(report.remb, now)
        if report.remb is not None:
            self._ramp_up.take(report.remb, rate, now)
        if report.remb is not None and self._collapses(report.remb, rate, now):
            return True
        if self.health is ViewerHealth.WELL:
            is_low = self._low_since is not None and not self._is_doubted
            much = self._loss.share > (MUCH_LOSS if is_low else HOPELESS_LOSS)
            return (low_long or much) and self._skip(now)
        self._probe.report(report.lost, report.in_flight, self.round_trip, rate, now)
        return self.health is ViewerHealth.PROBING and self._probe.has_failed and self._skip(now)

    def probe_is_due(self, now: float) -> bool:
        """Whether to ask for the keyframe of the next probe: not while packets of the last one are in a queue."""
        return now >= max(self._probed_at + SHORTEST_PROBE_INTERVAL, self._arriving_until)

    def begin_probe(self, rate: float, now: float) -> None:
        """Begin a bandwidth probe, with a keyframe of a stream of `rate`."""
        self.health, self._probed_at = ViewerHealth.PROBING, now
        self._probe = BandwidthProbe(rate, self._probe.first_pace, now)

    def pace(self, pace: float) -> float:
        """Pace in bits per second for what waits, where `pace` is a healthy viewer's."""
        return pace if self.health is ViewerHealth.WELL else min(pace, self._probe.pace)

    def sent(self, packets: int, now: float) -> None:
        """Packets were sent."""
        self._in_flight += packets
        self._arriving_until = now + ARRIVES_WITHIN
        self._probe.sent(packets)

    @property
    def round_trip(self) -> float:
        """The round-trip time without queues in seconds; an assumed value until a report contains it."""
        return UNKNOWN_ROUND_TRIP if self._round_trip == float("inf") else self._round_trip

    def disregard_padding(self, lost: int) -> None:
        """Count neither losses up to `lost`, nor the present bandwidth estimate: both are due to padding."""
        self._loss.restart(lost)
        self._is_doubted, self._low_since = True, None

    def picture_sent(self, keyframe: bool, caught_up: bool, age: float) -> None:
        """A picture has been sent `age` seconds after it was made; `caught_up` when no other waits."""
        if self.health is not ViewerHealth.PROBING:
            return
        if keyframe:
            self._probe.keyframe_sent(age)
        if caught_up and self._probe.is_passed:
            self.health, self._is_doubted, self._low_since = ViewerHealth.WELL, True, None

    def _watch_flight(self, report: ReceiverReport, now: float) -> None:
        """Note what is in flight. If something has arrived since the last report, the rest may still do so, too."""
        if report.round_trip is not None:
            self._round_trip = min(self._round_trip, report.round_trip)
        if report.in_flight <= FEW:
            self._arriving_until = float("-inf")
        elif report.in_flight < self._in_flight:
            self._arriving_until = now + ARRIVES_WITHIN
        self._in_flight = report.in_flight

    def _is_low_long(self, remb: int | None, now: float) -> bool:
        """Whether REMB is low, and has not risen for long."""
        before, self._remb = self._remb, remb
        if self._proven is not None and (remb or 0) < self._proven:
            return False
        self._proven = None
        if remb is None or remb >= LOW_SHARE * self._rate:
            self._low_since, self._is_doubted = None, False
            return False
        if before is None or remb < before:
            self._is_doubted = False
        if self._low_since is None or self._is_doubted or remb > self._low_mark * RISE:
            self._low_since, self._low_mark = now, remb
        return now - self._low_since >= LOW_FOR

    def _collapses(self, remb: int, rate: float, now: float) -> bool:
        """Skip, and wait for the queue to drain, if a network that was fast suddenly carries much less."""
        if remb >= LOW_SHARE * rate:
            self._high = (remb, now)
        high, at = self._high  # the rate, too, can rise suddenly: with a keyframe
        bandwidth_dropped = remb < COLLAPSED * min(rate, high) and now - at <= LOW_FOR
        # If packets get lost, the queue is full and short, or the network was away.
        begins = bandwidth_dropped and self.health is ViewerHealth.WELL and self._loss.share < MUCH_LOSS
        if begins:
            self._collapse = (rate, now)
        if begins or self.is_draining(now):  # REMB falls in several steps
            before, since = self._collapse
            self._drained_at = since + min(NOTICED * (before / max(remb, 1) - 1), LONGEST_DRAIN)
        return begins and self._skip(now)

    def _skip(self, now: float) -> bool:
        if self.health is ViewerHealth.WELL:  # a picture that was started is completed at this probe's pace
            self._probe = BandwidthProbe(self._rate, float("inf"), now)
        self.health, self._proven = ViewerHealth.SKIPPING, None
        return True
