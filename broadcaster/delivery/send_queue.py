"""The send queue of one viewer: which pictures wait, which are skipped, and how they are paced.

Pacing matters because an unpaced keyframe overruns Wi-Fi queues and freezes the picture.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from broadcaster.delivery.congestion import CongestionController, ViewerHealth
from broadcaster.delivery.padding_probe import PaddingProbe, ProbeResult
from broadcaster.delivery.rendition_choice import RenditionChoice, Renditions
from broadcaster.delivery.rendition_switch import RenditionSwitch
from broadcaster.media.rtp import MAX_PACKET, RtpFrame
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import Quality, QualityPreference
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

    A viewer that cannot keep up gets the small rendition where there is one, and pictures are skipped only if it cannot
    keep up with that either. A picture that was started is completed.
    """

    def __init__(self, sender: MediaSender, renditions: Renditions) -> None:
        self.sender = sender
        self.skipped = 0
        self._renditions = renditions
        self._congestion = CongestionController()
        self._choice = RenditionChoice()
        self._switch = RenditionSwitch()
        self._padding: PaddingProbe | None = None
        self._padding_allowance = 0.0
        self._waits_for_keyframe = True
        self._queue: deque[_Waiting] = deque()
        self._allowance = 0.0

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._queue) or self._padding is not None

    @property
    def health(self) -> ViewerHealth:
        """How the viewer keeps up."""
        return self._congestion.health

    @property
    def quality(self) -> Quality:
        """The rendition that is being sent."""
        return self._switch.current

    @property
    def bandwidth_estimate(self) -> int | None:
        """The viewer's bandwidth estimate in bits per second; None if there is none."""
        return self._congestion.bandwidth_estimate

    @property
    def small_estimate(self) -> int | None:
        """What the small rendition may use of the bandwidth, in bits per second; None if there is no estimate."""
        return self._congestion.small_estimate

    def takes(self, quality: Quality) -> bool:
        """Return whether the pictures of this rendition concern the viewer."""
        return quality is self._switch.current or quality is self._switch.target

    def backlog(self, now: float) -> float:
        """Seconds for which the oldest picture has been waiting."""
        return now - self._queue[0].since if self._queue else 0.0

    def restart(self) -> None:
        """Drop what waits, and wait for the next keyframe."""
        self._waits_for_keyframe = True
        self._drop()

    def start(self, preference: QualityPreference, last: Quality) -> None:
        """Begin with the viewer's choice; `last` is the rendition that it got over its last connection."""
        self._choice.start(preference, last)
        if self._choice.quality is Quality.SMALL and self._renditions.has_small:
            self._jump(Quality.SMALL)
        else:
            self._renditions.chosen(Quality.FULL)

    def prefer(self, preference: QualityPreference, now: float) -> None:
        """Take the viewer's choice of the rendition."""
        self._choice.prefer(preference, now)
        self._apply_choice()

    def small_ended(self, now: float) -> None:
        """There is no small rendition any more: go on with the full one."""
        if self._choice.quality is Quality.SMALL:
            self._padding = None
            self._choice.reset(now)
            self._jump(Quality.FULL)

    def add(self, frame: RtpFrame, quality: Quality, now: float) -> None:
        """Take a picture and send what the burst allows at once, hold it back for a switch, or skip it."""
        for selected in self._switch.select(frame, quality):
            self._add(selected, now)
        if self._switch.is_pending:
            self._renditions.need_keyframe(self._switch.target)

    def replay(self, frames: list[RtpFrame], now: float) -> None:
        """Begin with the pictures since the last keyframe of the full rendition."""
        self._waits_for_keyframe = False
        for frame in frames:
            self._queue.extend(_Waiting(selected, now) for selected in self._switch.select(frame, Quality.FULL))
        self._send(BURST, now)

    def tick(self, pace: float, elapsed: float, now: float) -> None:
        """Send what the pace allows after `elapsed` seconds."""
        pace = self._congestion.pace(pace)
        self._allowance = min(self._allowance + packets_due(pace, elapsed), BURST)
        self._allowance -= self._send(int(self._allowance), now)
        if self._padding is not None:
            self._send_padding(self._padding, elapsed, now)

    def report(self, report: ReceiverReport, now: float) -> None:
        """Take a receiver report."""
        rate = self._renditions.rate(self.quality)
        if self._padding is not None:
            self._padding.report(report.lost, report.in_flight, self._congestion.round_trip, now)
            self._congestion.disregard_padding(report.lost)
            self._end_padding(self._padding, now)
        elif self._congestion.report(report, rate, now):
            self._congested(now)
        else:
            self._try_full(now)

    def bandwidth_dropped(self, remb: int, now: float) -> None:
        """REMB is lower than a moment ago, in bits per second."""
        if self._padding is not None:
            self._padding.bandwidth_dropped(remb)
        elif self._congestion.bandwidth_dropped(remb, self._renditions.rate(self.quality), now):
            self._congested(now)

    def _congested(self, now: float) -> bool:
        """Skip the waiting pictures; return whether to go on with the small rendition."""
        self.restart()
        jumps = self._renditions.has_small and self._choice.congested(now)
        if jumps:
            self._jump(Quality.SMALL)
        return jumps

    def _jump(self, quality: Quality) -> None:
        self._switch.jump(quality)
        self.restart()
        self._renditions.chosen(quality)
        self._renditions.need_keyframe(quality)

    def _apply_choice(self) -> None:
        """Switch at a keyframe to what was chosen; at once where the viewer waits for one anyway."""
        quality = self._choice.quality
        if quality is Quality.SMALL and not self._renditions.has_small:
            return
        if self._congestion.health is not ViewerHealth.WELL and quality is not self._switch.current:
            self._jump(quality)
        elif quality is not self._switch.target:
            self._switch.target = quality
            self._renditions.chosen(quality)
            self._renditions.need_keyframe(quality)

    def _try_full(self, now: float) -> None:
        """Start a padding probe when it is time to try the full rendition again."""
        rate = self._renditions.small_bitrate
        is_well = self._congestion.health is ViewerHealth.WELL and not self._switch.is_pending
        if self._choice.is_attempt_due(is_well=is_well, estimate=self.bandwidth_estimate, rate=rate, now=now):
            self._padding = PaddingProbe(self._renditions.rate(Quality.SMALL), self._renditions.rate(Quality.FULL), now)

    def _send_padding(self, probe: PaddingProbe, elapsed: float, now: float) -> None:
        self._padding_allowance = min(self._padding_allowance + packets_due(probe.padding, elapsed), BURST)
        self._padding_allowance -= self.sender.send_padding(int(self._padding_allowance), now)
        probe.poll(now)
        self._end_padding(probe, now)

    def _end_padding(self, probe: PaddingProbe, now: float) -> None:
        """Act on the result of the padding probe, if there is one."""
        if probe.result is not ProbeResult.RUNNING:
            self._padding = None
            self._choice.attempt_ended(passed=probe.result is ProbeResult.PASSED, now=now)
            self._apply_choice()

    def _add(self, frame: RtpFrame, now: float) -> None:
        is_late = bool(self._queue) and self._congestion.backlog(self.backlog(now), now)
        if (is_late and self._congested(now)) or not self._is_wanted(frame, now):
            self.skipped += 1
            return
        taken = 0
        if not self._queue and self._congestion.health is ViewerHealth.WELL:
            taken = self.sender.send_video(frame, 0, min(BURST, len(frame.payloads)), now)
            self._congestion.sent(taken, now)
            if taken == len(frame.payloads):
                return
        self._queue.append(_Waiting(frame, now, taken))

    def _is_wanted(self, frame: RtpFrame, now: float) -> bool:
        if not self.sender.is_listening(now):
            self.restart()
            return False
        if self._congestion.health is ViewerHealth.SKIPPING:
            return self._begins_probe(frame, now)
        if self._waits_for_keyframe and not frame.keyframe:
            self._renditions.need_keyframe(self.quality)
            return False
        self._waits_for_keyframe = False
        return True

    def _begins_probe(self, frame: RtpFrame, now: float) -> bool:
        """Begin a bandwidth probe of a slow viewer with a keyframe, as soon as the last probe's has been sent."""
        if self._queue or self._congestion.is_draining(now):
            return False
        if not frame.keyframe:
            if self._congestion.probe_is_due(now):
                self._renditions.need_probe(self.quality)
            return False
        self._waits_for_keyframe = False
        self._allowance = 0.0
        self._congestion.begin_probe(self._renditions.rate(self.quality), now)
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
