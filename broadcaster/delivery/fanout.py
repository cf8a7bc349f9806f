"""One picture in, one for each viewer out.

Everything that is equal for all viewers is made once; then one walk hands the frame to each viewer's sender, and
a shared tick sends what pacing held back. Neither waits for anyone, and the walk lets the event loop breathe after a
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

from broadcaster.delivery.congestion import ReceiverReport
from broadcaster.delivery.pacer import TICK, RateMeter
from broadcaster.delivery.send_queue import SendQueue
from broadcaster.media.packetizer import Packetizer
from broadcaster.media.rtp import RtpFrame
from broadcaster.model.access_units import AccessUnit, OpusFrame
from broadcaster.ports import Clock, MediaSender, VideoSource
from broadcaster.stream.cache import PictureCache
from broadcaster.stream.gate import KeyframeGate

log = logging.getLogger(__name__)

VIEWERS_AT_ONCE = 16
"""Viewers served before the loop gets its turn: about a millisecond of sending."""


@dataclass(slots=True)
class _Walk:
    """Something to do for each of the viewers that were there when it began."""

    visit: Callable[[SendQueue], None]
    viewers: Iterator[tuple[str, SendQueue]]


class Fanout:
    """Publishes pictures and sound to all subscribed viewers."""

    def __init__(self, packetizer: Packetizer, clock: Clock) -> None:
        self.pictures = 0
        self.gate = KeyframeGate()
        self.meter = RateMeter()
        self._packetizer = packetizer
        self._clock = clock
        self._source: VideoSource | None = None
        self._cache = PictureCache()
        self._viewers: dict[str, SendQueue] = {}
        self._walks: deque[_Walk] = deque()
        self._walk_is_due = False
        self._tick_timer: asyncio.TimerHandle | None = None
        self._ticked_at = 0.0
        self._reference: tuple[int, float] | None = None

    @property
    def reference(self) -> tuple[int, float] | None:
        """The last picture's RTP timestamp, and its capture time in ms of the monotonic clock."""
        return self._reference

    @property
    def viewers(self) -> dict[str, SendQueue]:
        """What waits for each subscribed viewer; not to be changed."""
        return self._viewers

    def attach(self, source: VideoSource) -> None:
        """A new source begins: its first keyframe is where every viewer goes on."""
        self._source = source
        self._cache.clear()
        self._reference = None
        for outgoing in self._viewers.values():
            outgoing.begin_anew()

    def expect(self, viewer: str) -> None:
        """`viewer` will subscribe in a moment: while it connects its keyframe is made, and waits in the cache."""
        if not self._cache.is_fresh(self._clock.monotonic()):
            self._force_keyframe(viewer)

    def subscribe(self, viewer: str, sender: MediaSender) -> None:
        """From now on `viewer` gets everything, beginning with a keyframe as soon as there is one."""
        outgoing = self._viewers[viewer] = SendQueue(
            sender, need_keyframe=partial(self.request_keyframe, viewer), need_trial=self._request_trial
        )
        now = self._clock.monotonic()
        has_its_own = self._can_force() and self.gate.serves(viewer, now)
        if self._cache.frames and (self._cache.is_fresh(now) or not has_its_own):
            self._visit(viewer, outgoing, partial(self._replay, now))
        else:
            self.request_keyframe(viewer)

    def unsubscribe(self, viewer: str, sender: MediaSender | None) -> None:
        """`viewer` gets nothing any more by `sender` (None: it was only expected); ignored if it has another by now."""
        outgoing = self._viewers.get(viewer)
        if outgoing is None or outgoing.sender is sender:
            self._viewers.pop(viewer, None)
            self.gate.forget(viewer)

    def request_keyframe(self, viewer: str) -> None:
        """`viewer` cannot go on without a keyframe."""
        if viewer in self._viewers:
            self._force_keyframe(viewer)

    def report(self, viewer: str, report: ReceiverReport) -> None:
        """`viewer` says how it fares."""
        outgoing = self._viewers.get(viewer)
        if outgoing is not None:
            outgoing.report(report, self.meter.rate, self._clock.monotonic())

    def bandwidth_dropped(self, viewer: str, remb: int) -> None:
        """`viewer` says, between its reports, that its network carries less than a moment ago."""
        outgoing = self._viewers.get(viewer)
        if outgoing is not None:
            outgoing.bandwidth_dropped(remb, self.meter.rate, self._clock.monotonic())

    def publish_video(self, unit: AccessUnit) -> None:
        """Send one picture to every viewer that can use it."""
        now = self._clock.monotonic()
        frame = self._packetizer.picture(unit, now)
        if frame is None:
            return
        self.pictures += 1
        self.meter.add(frame.size, now)
        self._reference = (frame.timestamp, unit.captured * 1000)
        self._cache.add(frame, now)
        if frame.keyframe:
            self.gate.passed()
        self._walk_over(partial(self._send_picture, frame))
        self._poll_gate(now)

    def publish_audio(self, sound: OpusFrame) -> None:
        """Send 20 ms of sound to every viewer, ahead of every picture that waits."""
        frame = self._packetizer.sound(sound, self._clock.monotonic())
        self._walk_over(lambda outgoing: outgoing.sender.send_audio(frame))

    def _force_keyframe(self, viewer: str) -> None:
        if self._can_force():
            self.gate.request(viewer)
            self._poll_gate(self._clock.monotonic())

    def _request_trial(self) -> None:
        if self._can_force():
            self.gate.request_trial()
            self._poll_gate(self._clock.monotonic())

    def _poll_gate(self, now: float) -> None:
        """Pictures are the gate's clock: without them a forced keyframe would lead nowhere."""
        if self._source is not None and self.gate.poll(now):
            self._source.request_keyframe()

    def _can_force(self) -> bool:
        return self._source is not None and self._source.traits.can_force_keyframe

    def _replay(self, now: float, outgoing: SendQueue) -> None:
        outgoing.replay(self._cache.frames, now)
        if outgoing:
            self._tick_later(now)

    def _send_picture(self, frame: RtpFrame, outgoing: SendQueue) -> None:
        """The moment of publishing counts for all: it is the send time that the packets state."""
        outgoing.add(frame, frame.send_time)
        if outgoing:
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
        waiting = [(viewer, outgoing) for viewer, outgoing in self._viewers.items() if outgoing]
        if not waiting:
            self._tick_timer = None
            return
        pace = self.meter.pace
        self._walk_over(lambda outgoing: outgoing.tick(pace, elapsed, self._clock.monotonic()), waiting)
        self._tick_timer = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _visit(self, viewer: str, outgoing: SendQueue, visit: Callable[[SendQueue], None]) -> None:
        """Visit one viewer, if it is still there; what breaks there ends that viewer only."""
        if self._viewers.get(viewer) is not outgoing:
            return
        try:
            visit(outgoing)
        except Exception:
            log.exception("%s: sending broke, its connection ends", viewer)
            self.unsubscribe(viewer, outgoing.sender)
            outgoing.sender.broke()

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
            for viewer, outgoing in batch:
                self._visit(viewer, outgoing, walk.visit)
            if len(batch) < VIEWERS_AT_ONCE:
                self._walks.popleft()
            if self._walks:
                self._walk_is_due = True
                asyncio.get_running_loop().call_soon(self._walk)
                return
