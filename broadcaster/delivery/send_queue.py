"""The send queue of one viewer: which pictures wait, and which are skipped."""

from __future__ import annotations

from collections import deque

from broadcaster.delivery.congestion import CongestionController, ViewerHealth
from broadcaster.delivery.pacer import BURST, Pacer, WaitingFrame
from broadcaster.delivery.rendition_switch import RenditionSwitch
from broadcaster.delivery.upgrades import Upgrades
from broadcaster.media.rtp import RtpFrame
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import MediaSender
from broadcaster.stream.rendition_choice import RenditionChoice, Renditions

LONGEST_DELAY = 1.0
"""Seconds that pictures may wait because this machine is too slow; then they are skipped up to the next keyframe."""


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
        self._upgrades = Upgrades(renditions, self._choice)
        self._waits_for_keyframe = True
        self._queue: deque[WaitingFrame] = deque()
        self._pacer = Pacer()

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._queue) or self._upgrades.is_probing

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
    def is_proven(self) -> bool:
        """Whether a padding probe has shown that the estimate is right."""
        return self._congestion.is_proven

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

    def delay(self, now: float) -> float:
        """Seconds for which the oldest picture has been waiting for this process, not for the viewer's network."""
        is_ours = self._congestion.health is ViewerHealth.WELL and not self._pacer.is_blocked
        return self.backlog(now) if is_ours else 0.0

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
            self._upgrades.abort(now)
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
            for selected in self._switch.select(frame, Quality.FULL):
                self._wait(selected, now)
        self._send(BURST, now)

    def tick(self, pace: float, now: float, burst: int = BURST) -> None:
        """Send what `pace`, that of a viewer without congestion, allows since the last visit, up to `burst` packets."""
        elapsed = self._pacer.elapsed(now)
        if self._congestion.health is ViewerHealth.WELL:
            limit = self._pacer.allow(pace, now, burst)
        else:
            limit = self._pacer.allow_slow(self._congestion.pace(pace), now)
        self._visit(limit, now)
        if self._upgrades.is_probing:
            self._upgrades.send(self.sender, elapsed, now)
            self._finish_probe(now)

    def report(self, report: ReceiverReport, now: float) -> None:
        """Take a receiver report."""
        if self._upgrades.is_probing:
            self._upgrades.report(report.lost, report.in_flight, self._congestion.round_trip, now)
            self._congestion.disregard_padding(report.lost)
            self._finish_probe(now)
        elif self._congestion.report(report, self._renditions.rate(self.quality), now):
            self._congested(now)
        else:
            is_well = self._congestion.health is ViewerHealth.WELL and not self._switch.is_pending
            self._upgrades.poll(self.quality, self.bandwidth_estimate, now, is_well=is_well, is_proven=self.is_proven)

    def bandwidth_dropped(self, remb: int, now: float) -> None:
        """REMB is lower than a moment ago, in bits per second."""
        if self._upgrades.is_probing:
            self._upgrades.bandwidth_dropped(remb)
        elif self._congestion.bandwidth_dropped(remb, self._renditions.rate(self.quality), now):
            self._congested(now)

    def _congested(self, now: float) -> bool:
        """Skip the waiting pictures; return whether to go on with the small rendition."""
        self.restart()
        self._upgrades.abort(now)
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

    def _finish_probe(self, now: float) -> None:
        """Act on the result of a padding probe, if there is one."""
        if proven := self._upgrades.finish(now):
            self._congestion.prove(proven)
        self._apply_choice()

    def _add(self, frame: RtpFrame, now: float) -> None:
        if (self._queue and self._is_congested(now)) or not self._is_wanted(frame, now):
            self.skipped += 1
            return
        taken = 0
        if not self._queue and self._congestion.health is ViewerHealth.WELL:
            limit = min(BURST, len(frame.payloads))
            taken = self.sender.send_video(frame, 0, limit, now)
            self._congestion.sent(taken, now)
            if taken == len(frame.payloads):
                return
            self._pacer.begin(now, blocked=taken < limit)
        self._wait(frame, now, taken)

    def _wait(self, frame: RtpFrame, now: float, taken: int = 0) -> None:
        if not self._queue and not taken:
            self._pacer.begin(now, blocked=self._pacer.is_blocked)
        self._queue.append(self._pacer.wait(frame, now, taken))

    def _is_congested(self, now: float) -> bool:
        """Judge by the pictures that wait; return whether the viewer is slow, and they have been skipped."""
        if self._pacer.is_blocked:
            self._visit(1, now)  # whether the socket is still full
        if not self._queue:
            return False
        oldest = self._queue[0]
        if self._congestion.backlog(*self._pacer.waited(oldest), now):
            self._congested(now)
            return True
        untouched = self._queue[1 if oldest.next else 0].since if len(self._queue) > 1 else now
        if self._congestion.health is ViewerHealth.WELL and now - untouched > LONGEST_DELAY:
            self.restart()
        return False

    def _is_wanted(self, frame: RtpFrame, now: float) -> bool:
        if not self.sender.is_listening(now):
            self.restart()
            return False
        if self._congestion.health is ViewerHealth.SKIPPING:
            return self._begins_probe(frame, now)
        self._waits_for_keyframe |= now - frame.send_time > LONGEST_DELAY
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
        self._pacer.reset()
        self._congestion.begin_probe(self._renditions.rate(self.quality), now)
        return True

    def _drop(self) -> None:
        """Skip the pictures of which nothing has been sent."""
        begun = [waiting for waiting in self._queue if waiting.next]
        self.skipped += len(self._queue) - len(begun)
        self._queue = deque(begun)

    def _visit(self, limit: int, now: float) -> None:
        sent = self._send(limit, now)
        blocked = sent < limit and bool(self._queue) if limit else self._pacer.is_blocked
        self._pacer.visited(sent, now, blocked=blocked)

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
                served, _ = self._pacer.waited(waiting)
                self._congestion.picture_sent(waiting.frame.keyframe, not self._queue, served)
        return sent
