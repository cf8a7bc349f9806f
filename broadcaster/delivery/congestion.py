"""When a viewer is too slow for the stream, and when it is well again.

A slow viewer is skipped to the next keyframe, in whole pictures, so that its picture is never broken. It is tried
with each keyframe and the pictures after it, faster and faster. Much lost, or too late, ends the trial; when it has
caught up with the stream, the viewer is well again, whatever REMB says.
"""

from __future__ import annotations

from enum import StrEnum

from broadcaster.delivery.bandwidth_probe import MUCH_LOSS, BandwidthProbe
from broadcaster.media.rtp import MAX_PACKET
from broadcaster.model.stats import ReceiverReport
from broadcaster.stream.rendition import SHORTEST_PROBE_INTERVAL

LONGEST_BACKLOG = 0.2
"""Seconds that the oldest picture may wait to be sent."""

LONGEST_TRIAL = 2.0
"""Seconds that it may wait in a trial: longer than it takes to get faster than the stream, and to catch up."""

LOW_SHARE = 0.8
"""A REMB below this share of the stream's rate means that the viewer's network carries less than is sent."""

LOW_FOR = 2.0
"""Seconds for which REMB must be low without a rise; at once when there is much loss too."""

RISE = 1.05
"""Growth that is one: REMB that finds its way up grows by 8 % a second, and who wants to be heard for ever less."""

COLLAPSED = 0.5
"""Share of the rate below which a REMB that was well a moment ago means that a queue is there already."""

NOTICED = 0.75
"""Seconds in which browsers notice that, all of which was sent into the queue."""

LONGEST_DRAIN = 2.5
"""Seconds for which nothing is sent at most, so that the queue gets shorter: how deep it can be nobody knows."""

LOSS_WINDOW = 0.5
"""Seconds over which loss is measured: reports come with every NACK, and speak of a few packets each."""

HOPELESS_LOSS = 0.5
"""Share that counts alone: RTX cannot mend it, and the first REMB takes seconds."""


class ViewerHealth(StrEnum):
    """How a viewer keeps up."""

    WELL = "well"
    SKIPPING = "skipping"
    TRYING = "trying"


class LossMeter:
    """The share of a stream's packets that a viewer lost, window by window."""

    def __init__(self) -> None:
        self.share = 0.0
        self._began = float("-inf")
        self._lost = 0

    def add(self, lost: int, rate: float, now: float) -> None:
        """So many packets of a stream of `rate` were lost in all."""
        if now - self._began >= LOSS_WINDOW:
            bits = (lost - self._lost) * MAX_PACKET * 8
            self.share = bits / (rate * (now - self._began)) if rate else 0.0
            self._began, self._lost = now, lost


class CongestionController:
    """One viewer's health; rates in bits a second, time is an argument."""

    def __init__(self) -> None:
        self.health = ViewerHealth.WELL
        self._remb: int | None = None
        self._is_doubted = False
        self._loss = LossMeter()
        self._trial = BandwidthProbe(0)
        self._tried_at = float("-inf")
        self._lost = 0
        self._low_since: float | None = None
        self._low_mark = 0.0
        self._well_at = float("-inf")
        self._collapse = (0.0, float("-inf"))
        self._drained_at = float("-inf")
        self._rate = 0.0

    @property
    def bandwidth_estimate(self) -> int | None:
        """What the viewer's network carries, as far as REMB says it; None while it has not recovered from a pause."""
        return None if self._is_doubted else self._remb

    def bandwidth_dropped(self, remb: int, rate: float, now: float) -> bool:
        """REMB came by itself, lower than before: it counts at once, though whether it stays low the reports say.

        True when what waits is to be left out, in a stream of `rate`.
        """
        self._remb, self._is_doubted = remb, False
        return self._collapses(remb, rate, now)

    def is_draining(self, now: float) -> bool:
        """Whether the narrow place still has enough to do with what was sent before it got narrow."""
        return now < self._drained_at

    def backlog(self, age: float) -> bool:
        """The oldest waiting picture is `age` seconds old; True when that is too long."""
        if self.health is ViewerHealth.TRYING:
            return age > LONGEST_TRIAL and self._skip()
        return self.health is ViewerHealth.WELL and age > LONGEST_BACKLOG and self._skip()

    def report(self, report: ReceiverReport, rate: float, now: float) -> bool:
        """Take a report in a stream of `rate`; True when what waits is to be left out."""
        self._rate, self._lost = rate, report.lost
        self._loss.add(report.lost, rate, now)
        low_long = self._is_low_long(report.remb, now)
        if report.remb is not None and self._collapses(report.remb, rate, now):
            return True
        if self.health is ViewerHealth.WELL:
            much = self._loss.share > (MUCH_LOSS if self._low_since is not None else HOPELESS_LOSS)
            return (low_long or much) and self._skip()
        return self.health is ViewerHealth.TRYING and self._trial.has_failed(report.lost) and self._skip()

    def trial_is_due(self, now: float) -> bool:
        """Whether to ask for the keyframe of the next trial."""
        return now - self._tried_at >= SHORTEST_PROBE_INTERVAL

    def keyframe(self, now: float) -> None:
        """A trial begins with a keyframe."""
        self.health, self._tried_at = ViewerHealth.TRYING, now
        self._trial = BandwidthProbe(self._rate)

    def pace(self, pace: float, now: float) -> float:
        """Bits a second at which the viewer gets what waits, where `pace` is a healthy viewer's."""
        return pace if self.health is ViewerHealth.WELL else min(pace, self._trial.at(now))

    def sent(self, packets: int) -> None:
        """So many packets were sent at that pace."""
        self._trial.packets += packets

    def left(self, keyframe: bool, caught_up: bool, now: float) -> None:
        """A picture has left; `caught_up` when no other waits."""
        if self.health is not ViewerHealth.TRYING:
            return
        if keyframe:
            self._trial.keyframe_left(self._lost, now)
        elif caught_up and self._trial.at(now) >= self._rate:
            self.health, self._is_doubted = ViewerHealth.WELL, True

    def _is_low_long(self, remb: int | None, now: float) -> bool:
        """Whether REMB is low, and has not risen for long."""
        before, self._remb = self._remb, remb
        if remb is None or remb >= LOW_SHARE * self._rate:
            self._low_since, self._is_doubted = None, False
            return False
        if before is None or remb < before:
            self._is_doubted = False
        if self._low_since is None or self._is_doubted or remb > self._low_mark * RISE:
            self._low_since, self._low_mark = now, remb
        return now - self._low_since >= LOW_FOR

    def _collapses(self, remb: int, rate: float, now: float) -> bool:
        """Skip, and wait until the queue is shorter, where a network that was well carries much less at once."""
        if remb >= LOW_SHARE * rate:
            self._well_at = now
        bandwidth_dropped = remb < COLLAPSED * rate and now - self._well_at <= LOW_FOR
        # Where packets get lost the queue is full and short, or the network was away.
        begins = bandwidth_dropped and self.health is ViewerHealth.WELL and self._loss.share < MUCH_LOSS
        if begins:
            self._collapse = (rate, now)
        if begins or self.is_draining(now):  # what it carries is found out step by step
            before, since = self._collapse
            self._drained_at = since + min(NOTICED * (before / max(remb, 1) - 1), LONGEST_DRAIN)
        return begins and self._skip()

    def _skip(self) -> bool:
        self.health = ViewerHealth.SKIPPING
        return True
