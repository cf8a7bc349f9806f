"""The RTP fan-out: one access unit in, one picture for each viewer out.

Everything that is the same for all viewers is made once; then one walk hands the frame to each viewer's send queue, and
a shared tick sends what pacing held back. Neither waits for anyone, and the walk lets the event loop run after every
few viewers, so that STUN, RTCP and signaling are served in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.send_queue import TICK, SendQueue, pace_of
from broadcaster.media.rtp import Packetizer, RtpFrame
from broadcaster.model.stats import QueueStats, ReceiverReport
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import Clock, MediaSender
from broadcaster.stream.hub import Hub, Subscription

log = logging.getLogger(__name__)

VIEWERS_AT_ONCE = 16
"""Viewers served before the event loop runs: about a millisecond of sending."""

RESUBSCRIBE_AFTER = 1.0
"""Seconds from a failure of the fan-out itself to its next subscription: viewers see a pause, not the end."""


@dataclass(slots=True)
class _Walk:
    """A visit to each of the viewers that were subscribed when it began."""

    visit: Callable[[SendQueue], None]
    viewers: Iterator[tuple[str, SendQueue]]


class Fanout:
    """Sends video and audio to all subscribed viewers (`hub.Subscriber`, `ports.RtpDelivery`)."""

    def __init__(self, hub: Hub, packetizer: Packetizer, clock: Clock) -> None:
        self._hub = hub
        self._rendition = hub.rendition
        self._packetizer = packetizer
        self._clock = clock
        self._frames: list[RtpFrame] = []
        self._viewers: dict[str, SendQueue] = {}
        self._walks: deque[_Walk] = deque()
        self._walk_is_due = False
        self._tick_timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0
        self._reference: tuple[int, float] | None = None
        self._subscription: Subscription | None = None

    def open(self) -> None:
        """Subscribe to the hub."""
        self._subscription = self._hub.subscribe("rtp", self)

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None

    @property
    def reference(self) -> tuple[int, float] | None:
        """The last picture's RTP timestamp, and its capture time in ms of the monotonic clock."""
        return self._reference

    def bandwidth_estimates(self) -> list[int]:
        """Return what viewers can receive in bits per second, ascending: of those that keep up, else of all of them.

        Each network has one vote, its highest: a viewer that lies about its bandwidth decides neither by many sessions,
        nor for others in the same household.
        """
        queues = self._viewers.values()
        votes: dict[str, int] = {}
        for queue in [queue for queue in queues if queue.health is ViewerHealth.WELL] or queues:
            if queue.bandwidth_estimate is not None:
                network = queue.sender.network
                votes[network] = max(votes.get(network, 0), queue.bandwidth_estimate)
        return sorted(votes.values())

    def queue_stats(self, viewer: str) -> QueueStats | None:
        """Return the state of the viewer's send queue; None when it is not subscribed."""
        queue = self._viewers.get(viewer)
        if queue is None:
            return None
        return QueueStats(queue.skipped, queue.health, queue.backlog(self._clock.monotonic()))

    def source_changed(self) -> None:
        """Let every viewer wait for the first keyframe of the source that follows (`hub.Subscriber`)."""
        self._frames.clear()
        self._reference = None
        for queue in self._viewers.values():
            queue.restart()

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Send one picture to every viewer that can use it (`hub.Subscriber`)."""
        frame = self._packetizer.packetize_video(unit, now)
        if frame is None:
            return True
        self._reference = (frame.timestamp, unit.captured * 1000)
        self._remember(frame)
        self._walk_over(partial(self._send_picture, frame))
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Send 20 ms of audio to every viewer, ahead of every picture that waits (`hub.Subscriber`)."""
        packet = self._packetizer.packetize_audio(frame, now)
        self._walk_over(lambda queue: queue.sender.send_audio(packet))

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment: viewers stay connected (`hub.Subscriber`)."""
        self._subscription = None
        self.source_changed()
        asyncio.get_running_loop().call_later(RESUBSCRIBE_AFTER, self.open)

    def expect(self, viewer: str) -> None:
        """Have a keyframe made while `viewer` connects; it waits in the cache."""
        now = self._clock.monotonic()
        if not self._rendition.cache.is_fresh(now):
            self._rendition.request_keyframe(viewer, now)

    def subscribe(self, viewer: str, sender: MediaSender) -> None:
        """Send everything from now on to `viewer`, beginning with a keyframe as soon as there is one."""
        queue = self._viewers[viewer] = SendQueue(
            sender, need_keyframe=partial(self.request_keyframe, viewer), need_probe=self._request_probe
        )
        now = self._clock.monotonic()
        forced = self._rendition.can_force_keyframe and self._rendition.gate.serves(viewer, now)
        if self._frames and (self._rendition.cache.is_fresh(now) or not forced):
            self._visit(viewer, queue, partial(self._replay, now))
        else:
            self.request_keyframe(viewer)

    def unsubscribe(self, viewer: str, sender: MediaSender | None) -> None:
        """Send nothing more by `sender` (None: it was only expected); ignored if the viewer has another by now."""
        queue = self._viewers.get(viewer)
        if queue is None or queue.sender is sender:
            self._viewers.pop(viewer, None)
            self._rendition.gate.forget(viewer)

    def request_keyframe(self, viewer: str) -> None:
        """Force a keyframe as soon as the gate allows: `viewer` cannot go on without one."""
        if viewer in self._viewers:
            self._rendition.request_keyframe(viewer, self._clock.monotonic())

    def report(self, viewer: str, report: ReceiverReport) -> None:
        """Take a receiver report of `viewer`."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            queue.report(report, self._rendition.meter.rate, self._clock.monotonic())

    def bandwidth_dropped(self, viewer: str, estimate: int) -> None:
        """Take a lower bandwidth estimate of `viewer`, in bits per second, that came between reports."""
        queue = self._viewers.get(viewer)
        if queue is not None:
            queue.bandwidth_dropped(estimate, self._rendition.meter.rate, self._clock.monotonic())

    def _request_probe(self) -> None:
        self._rendition.request_probe(self._clock.monotonic())

    def _remember(self, frame: RtpFrame) -> None:
        """Keep the packets of what the rendition's cache holds."""
        if frame.keyframe or not self._rendition.cache.units:
            self._frames.clear()
        if self._rendition.cache.units:
            self._frames.append(frame)

    def _replay(self, now: float, queue: SendQueue) -> None:
        queue.replay(self._frames, now)
        if queue:
            self._tick_later(now)

    def _send_picture(self, frame: RtpFrame, queue: SendQueue) -> None:
        """The moment of publishing counts for all: it is the send time that the packets state."""
        queue.add(frame, frame.send_time)
        if queue:
            self._tick_later(frame.send_time)

    def _tick_later(self, now: float) -> None:
        """Somebody's backlog waits for the shared tick."""
        if self._tick_timer is None:
            self._ticked_at = now
            self._tick_timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        """Send what the pace allows to everybody whose pictures wait; when the walks are behind, the next tick does."""
        if self._walks:
            self._tick_timer = asyncio.get_running_loop().call_later(TICK, self._tick)
            return
        now = self._clock.monotonic()
        elapsed, self._ticked_at = now - self._ticked_at, now
        waiting = [(viewer, queue) for viewer, queue in self._viewers.items() if queue]
        if not waiting:
            self._tick_timer = None
            return
        pace = pace_of(self._rendition.meter)
        self._walk_over(lambda queue: queue.tick(pace, elapsed, self._clock.monotonic()), waiting)
        self._tick_timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _visit(self, viewer: str, queue: SendQueue, visit: Callable[[SendQueue], None]) -> None:
        """Visit one viewer, if it is still there; what breaks there ends that viewer only."""
        if self._viewers.get(viewer) is not queue:
            return
        try:
            visit(queue)
        except Exception:
            log.exception("%s: sending failed; closing its connection", viewer)
            self.unsubscribe(viewer, queue.sender)
            queue.sender.sending_failed()

    def _walk_over(
        self, visit: Callable[[SendQueue], None], viewers: Sequence[tuple[str, SendQueue]] | None = None
    ) -> None:
        """Visit all viewers, or these, walk after walk; who subscribes later has had it from the cache, or waits."""
        self._walks.append(_Walk(visit, iter(tuple(self._viewers.items()) if viewers is None else viewers)))
        if not self._walk_is_due:
            self._walk()

    def _walk(self) -> None:
        self._walk_is_due = False
        while self._walks:
            walk = self._walks[0]
            batch = list(islice(walk.viewers, VIEWERS_AT_ONCE))
            for viewer, queue in batch:
                self._visit(viewer, queue, walk.visit)
            if len(batch) < VIEWERS_AT_ONCE:
                self._walks.popleft()
            if self._walks:
                self._walk_is_due = True
                asyncio.get_running_loop().call_soon(self._walk)
                return
