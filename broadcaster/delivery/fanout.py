"""The RTP fan-out: sends each access unit to all viewers.

Everything that is the same for all viewers of a rendition is made once (`feed`); then one walk hands the frame to each
viewer's send queue, and a shared tick sends what pacing held back. Neither waits for anyone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.feed import Feed
from broadcaster.delivery.pacer import burst_for, pace_of, tick_for
from broadcaster.delivery.send_queue import SendQueue
from broadcaster.delivery.viewer_renditions import ViewerRenditions
from broadcaster.delivery.walks import Walk, Walks
from broadcaster.media.rtp import Packetizer, RtpFrame
from broadcaster.model.stats import QueueStats, ReceiverReport
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.ports import Clock, MediaSender
from broadcaster.stream.hub import Hub

LATE = 0.01
"""Seconds after which a packet states its own send time instead of the one that all share: the viewer's browser must
not take our delay for a queue of its network."""


class Fanout:
    """Sends video and audio to all subscribed viewers (`ports.RtpDelivery`).

    `sessions` returns the number of viewers, with those that get the stream by other ways.
    """

    def __init__(self, hub: Hub, packetizer: Packetizer, clock: Clock, sessions: Callable[[], int] = lambda: 0) -> None:
        self._sessions = sessions
        self._full = Feed(hub, hub.full, packetizer, self._send_video, self._send_audio, self._restart)
        self._small = Feed(hub, hub.small, packetizer, self._send_video, self._send_audio, self._restart)
        self._hub = hub
        self._clock = clock
        self._viewers: dict[str, SendQueue] = {}
        self._walks = Walks(self._viewers, self._broke)
        self._had_small = False
        self._delay = self._longest_delay = 0.0
        self._tick_timer: asyncio.TimerHandle | None = None
        self._tick_walk: Walk | None = None

    def open(self) -> None:
        """Subscribe to the hub."""
        self._full.open()
        self._small.open()

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        self._full.close()
        self._small.close()

    @property
    def reference(self) -> tuple[int, float] | None:
        """The last picture's RTP timestamp, and its capture time in ms of the monotonic clock."""
        return self._full.reference

    def take_longest_delay(self) -> float:
        """Return the longest delay, in seconds, with which this machine has sent a picture since the last call."""
        longest, self._longest_delay = self._longest_delay, 0.0
        return longest

    @property
    def is_sending(self) -> bool:
        """Whether some viewers are still to be visited."""
        return self._walks.is_busy

    @property
    def viewers_by_quality(self) -> Counter[Quality]:
        """How many viewers get each rendition."""
        return Counter(queue.quality for queue in self._viewers.values() if queue.sender.is_viewer)

    def bandwidth_estimates(self, quality: Quality = Quality.FULL) -> list[int]:
        """Return what the viewers of a rendition can receive in bits per second, ascending.

        Those of the full one that keep up decide, else all of them; below the small one there is nothing, so all of its
        viewers do. Each network has one vote, its highest: a viewer that lies about its bandwidth decides neither by
        many sessions, nor for others in the same household. Push targets decide only when there are no viewers.
        """
        queues = self._deciding(quality)
        if quality is Quality.FULL:
            deciding = [queue for queue in queues if queue.health is ViewerHealth.WELL] or queues
            estimates = [(queue.sender.network, queue.bandwidth_estimate) for queue in deciding]
        else:
            estimates = [(queue.sender.network, queue.small_estimate) for queue in queues]
        votes: dict[str, int] = {}
        for network, estimate in estimates:
            if estimate is not None:
                votes[network] = max(votes.get(network, 0), estimate)
        return sorted(votes.values())

    def queue_stats(self, viewer: str) -> QueueStats | None:
        """Return the state of the viewer's send queue; None when it is not subscribed."""
        queue = self._viewers.get(viewer)
        if queue is None:
            return None
        return QueueStats(queue.skipped, queue.health, queue.backlog(self._clock.monotonic()), queue.quality)

    def expect(self, viewer: str) -> None:
        """Have a keyframe made while `viewer` connects; it waits in the cache."""
        now = self._clock.monotonic()
        if not self._full.rendition.cache.is_fresh(now, len(self._viewers)):
            self._full.rendition.request_keyframe(viewer, now)

    def subscribe(
        self,
        viewer: str,
        sender: MediaSender,
        preference: QualityPreference = QualityPreference.AUTO,
        last: Quality = Quality.FULL,
    ) -> None:
        """Send everything from now on to `viewer`, beginning with a keyframe as soon as there is one."""
        queue = self._viewers[viewer] = SendQueue(sender, ViewerRenditions(self, viewer, sender))
        self._sort()
        queue.start(preference, last)
        if queue.quality is Quality.SMALL:
            return
        rendition, now = self._full.rendition, self._clock.monotonic()
        forced = rendition.can_force_keyframe and rendition.gate.serves(viewer, now)
        if self._full.frames and (rendition.cache.is_fresh(now, len(self._viewers)) or not forced):
            self._walks.visit(viewer, queue, partial(self._replay, now))
        else:
            self.request_keyframe(viewer)

    def packet_format_changed(self, viewer: str) -> None:
        """Keep the viewer beside those whose packets have the same layout."""
        self._sort()

    def prefer(self, viewer: str, preference: QualityPreference) -> None:
        """Take the viewer's choice of the rendition."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            queue.prefer(preference, self._clock.monotonic())

    def unsubscribe(self, viewer: str, sender: MediaSender | None) -> None:
        """Send nothing more by `sender` (None: it was only expected); ignored if the viewer has another by now."""
        queue = self._viewers.get(viewer)
        if queue is None or queue.sender is sender:
            self._viewers.pop(viewer, None)
            self._hub.small.release(viewer, self._clock.monotonic())
            for feed in (self._full, self._small):
                feed.rendition.gate.forget(viewer)

    def request_keyframe(self, viewer: str) -> None:
        """Force a keyframe as soon as the gate allows: `viewer` cannot go on without one."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            self.need_keyframe(viewer, queue.quality)

    def report(self, viewer: str, report: ReceiverReport) -> None:
        """Take a receiver report of `viewer`."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            queue.report(report, self._clock.monotonic())

    def bandwidth_dropped(self, viewer: str, estimate: int) -> None:
        """Take a lower bandwidth estimate of `viewer`, in bits per second, that came between reports."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            queue.bandwidth_dropped(estimate, self._clock.monotonic())

    def feed(self, quality: Quality) -> Feed:
        """Return the feed of a rendition."""
        return self._full if quality is Quality.FULL else self._small

    def full_bitrate_goal(self, sender: MediaSender) -> float:
        """Return the full rendition's highest bit rate, if this viewer alone keeps it lower; else 0.

        Several viewers do not try for more at once: they may share a bottleneck. Push targets count for each other.
        """
        full, others = self._full.rendition, (queue.sender for queue in self._viewers.values())
        if not full.is_lowered or any(other is not sender and other.is_viewer >= sender.is_viewer for other in others):
            return 0.0
        return full.bitrate

    def is_proven(self, quality: Quality) -> bool:
        """Return whether padding probes have shown that the estimates of the rendition's viewers are right."""
        queues = self._deciding(quality)
        return bool(queues) and all(queue.is_proven for queue in queues)

    @property
    def small_is_available(self) -> bool:
        """Whether viewers can get the small rendition."""
        return self._hub.small.is_available

    def quality_chosen(self, viewer: str, quality: Quality) -> None:
        """Have the small rendition encoded for as long as this viewer gets it."""
        now = self._clock.monotonic()
        if quality is Quality.SMALL:
            self._hub.small.use(viewer, now)
        else:
            self._hub.small.release(viewer, now)

    def need_keyframe(self, viewer: str, quality: Quality) -> None:
        """Force a keyframe of a rendition for this viewer, as soon as the gate allows."""
        self.feed(quality).rendition.request_keyframe(viewer, self._clock.monotonic())

    def need_probe(self, quality: Quality) -> None:
        """Force a keyframe of a rendition for the bandwidth probes of slow viewers, as soon as the gate allows."""
        self.feed(quality).rendition.request_probe(self._clock.monotonic())

    def _deciding(self, quality: Quality) -> list[SendQueue]:
        """Return the queues that decide about a rendition's bit rate: viewers'; without any session, push targets'."""
        queues = list(self._viewers.values())
        viewers = [queue for queue in queues if queue.sender.is_viewer]
        deciding = viewers if viewers or self._sessions() else queues
        return [queue for queue in deciding if queue.quality is quality]

    def _sort(self) -> None:
        """Keep viewers with equal packet formats together: what must be prepared for a format is prepared once."""
        viewers = sorted(self._viewers.items(), key=lambda item: item[1].sender.packet_format)
        self._viewers.clear()
        self._viewers.update(viewers)

    def _restart(self, quality: Quality) -> None:
        for queue in self._viewers.values():
            if queue.quality is quality:
                queue.restart()

    def _replay(self, now: float, queue: SendQueue) -> None:
        queue.replay(self._full.frames, now)
        if queue:
            self._tick_later()

    def _send_video(self, frame: RtpFrame, quality: Quality) -> None:
        self.feed(quality).rendition.gate.sent_late(self._delay)
        self._longest_delay = max(self._longest_delay, self._delay)
        self._delay = 0.0
        if quality is Quality.FULL:
            self._watch_small(frame.send_time)
            viewers = None
        else:
            viewers = [(viewer, queue) for viewer, queue in self._viewers.items() if queue.takes(quality)]
        self._walks.begin(partial(self._send_picture, frame, quality), viewers)

    def _watch_small(self, now: float) -> None:
        """Take the viewers of the small rendition back when there is none any more."""
        had_small, self._had_small = self._had_small, self.small_is_available
        if had_small and not self._had_small:
            self._walks.begin(lambda queue: queue.small_ended(now))

    def _send_picture(self, frame: RtpFrame, quality: Quality, queue: SendQueue) -> None:
        """Add a picture; unless it is late, at its publishing time, which its packets carry as their send time."""
        now = self._clock.monotonic()
        late = now - frame.send_time
        if late > self._delay:
            self._delay = late
        queue.add(frame, quality, now if late > LATE else frame.send_time)
        if queue:
            self._tick_later()

    def _send_audio(self, frame: RtpFrame) -> None:
        """Send to every viewer, ahead of every picture that waits."""
        self._walks.begin(lambda queue: queue.sender.send_audio(frame))

    def _broke(self, viewer: str, queue: SendQueue) -> None:
        self.unsubscribe(viewer, queue.sender)
        queue.sender.sending_failed()

    def _tick_later(self) -> None:
        """Somebody's backlog waits for the shared tick."""
        if self._tick_timer is None:
            self._arm_tick()

    def _arm_tick(self) -> None:
        self._tick_timer = asyncio.get_running_loop().call_later(tick_for(len(self._viewers)), self._tick)

    def _tick(self) -> None:
        """Send what the pace allows to those whose pictures wait, unless the last tick has not reached them all."""
        if self._tick_walk is not None and not self._tick_walk.is_finished:
            self._arm_tick()
            return
        waiting = [(viewer, queue) for viewer, queue in self._viewers.items() if queue]
        if not waiting:
            self._tick_timer = None
            return
        paces = {feed.quality: pace_of(feed.rendition.meter) for feed in (self._full, self._small)}
        burst = burst_for(len(self._viewers))
        self._tick_walk = self._walks.begin(partial(self._tick_viewer, paces, burst), waiting)
        self._arm_tick()

    def _tick_viewer(self, paces: dict[Quality, float], burst: int, queue: SendQueue) -> None:
        now = self._clock.monotonic()
        queue.tick(paces[queue.quality], now, burst)
        self._delay = max(self._delay, queue.delay(now))
