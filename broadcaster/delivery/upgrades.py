"""Upgrades of one viewer: when to try whether its network carries more, by padding, and what the result changes."""

from __future__ import annotations

from broadcaster.delivery.pacer import BURST, packets_due
from broadcaster.delivery.padding_probe import PaddingProbe, ProbeResult
from broadcaster.model.stream import Quality
from broadcaster.ports import MediaSender
from broadcaster.stream.attempts import Attempts
from broadcaster.stream.rendition_choice import RenditionChoice, Renditions

RAISE_AFTER = 1.0
"""Seconds with a risen bandwidth estimate before trying a higher bit rate for a single viewer."""

RISEN = 1.25
"""Factor by which the estimate must have risen since its lowest value: on a narrow network it falls to 0.85 of what
arrives and rises again, over and over."""


class Upgrades:
    """Tries the full rendition for a viewer of the small one, and a higher bit rate of it for a viewer that is alone.

    Rates in bits per second, times in seconds.
    """

    def __init__(self, renditions: Renditions, choice: RenditionChoice) -> None:
        self._renditions = renditions
        self._choice = choice
        self._raising = Attempts(RAISE_AFTER)
        self._lowest = float("inf")
        self._probe: PaddingProbe | None = None
        self._allowance = 0.0

    @property
    def is_probing(self) -> bool:
        """Whether padding is being sent."""
        return self._probe is not None

    def poll(self, quality: Quality, estimate: int | None, now: float, *, is_well: bool, is_proven: bool) -> None:
        """Start a padding probe if one is due; `is_proven`: the estimate is the result of one."""
        small, full = self._renditions.rate(Quality.SMALL), self._renditions.rate(Quality.FULL)
        rate, goal = self._renditions.small_bitrate, self._renditions.full_bitrate_goal
        if self._choice.is_attempt_due(is_well=is_well, estimate=estimate, rate=rate, now=now):
            self._probe = PaddingProbe(small, full, now)
        elif not is_well or quality is Quality.SMALL or not goal or is_proven or not self._has_risen(estimate):
            self._raising.interrupt()
        elif self._raising.is_due(now):
            self._probe = PaddingProbe(full, goal, now)

    def _has_risen(self, estimate: int | None) -> bool:
        if estimate is None:
            return False
        self._lowest = min(self._lowest, estimate)
        return estimate >= RISEN * self._lowest

    def send(self, sender: MediaSender, elapsed: float, now: float) -> None:
        """Send the padding that is due after `elapsed` seconds."""
        if self._probe is not None:
            self._allowance = min(self._allowance + packets_due(self._probe.padding, elapsed), BURST)
            self._allowance -= sender.send_padding(int(self._allowance), now)
            self._probe.poll(now)

    def report(self, lost: int, in_flight: int, round_trip: float, now: float) -> None:
        """Take a receiver report, as `PaddingProbe` does."""
        if self._probe is not None:
            self._probe.report(lost, in_flight, round_trip, now)

    def bandwidth_dropped(self, estimate: int) -> None:
        """Take a bandwidth estimate that is lower than before."""
        if self._probe is not None:
            self._probe.bandwidth_dropped(estimate)

    def abort(self, now: float) -> None:
        """End a probe that runs without success, because there is congestion."""
        if self._probe is not None:
            self._probe.result = ProbeResult.FAILED
            self.finish(now)

    def finish(self, now: float) -> float:
        """If the probe has a result, end it; return the rate that it has proven for the full rendition, else 0.

        A viewer of the small rendition gets its full one by `RenditionChoice`.
        """
        probe = self._probe
        if probe is None or probe.result is ProbeResult.RUNNING:
            return 0.0
        self._probe, self._lowest = None, float("inf")
        passed = probe.result is ProbeResult.PASSED
        if self._choice.quality is Quality.SMALL:
            self._choice.attempt_ended(passed=passed, now=now)
            return 0.0
        if passed:
            self._raising.succeeded()
        else:
            self._raising.probe_failed(now)
        return probe.rate if passed else 0.0
