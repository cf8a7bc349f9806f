"""One viewer of the muxed stream: its rendition, its queue, and the connection that takes what comes next."""

from __future__ import annotations

from typing import Protocol

from broadcaster.model.stats import MediaStats
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.outputs.messages import FragmentMessage
from broadcaster.outputs.tail import Tail
from broadcaster.stream.rendition_choice import RenditionChoice

ACK_TIMEOUT = 10.0
"""Seconds without an acknowledgement after which a viewer's connection is closed."""

CONGESTED = 0.3
"""Seconds for which a fragment may wait before the viewer gets the small rendition: less than `tail.MAX_AGE`, so that
this comes before skipping."""

TRUSTED = 30.0
"""Seconds for which the bandwidth estimate may keep a viewer from trying the full rendition. On a long path it is too
low for ever, because TCP does not use what it does not need."""

AMPLE = 1.5
"""Bandwidth estimate, as a multiple of the bit rate, from which a viewer does not vote for a lower one any more."""


class Outlet(Protocol):
    """One viewer's connection."""

    network: str
    """The viewer's IPv4 address or IPv6 network."""

    is_writable: bool
    """Whether everything that was written has been passed on to the kernel."""

    def write(self, data: bytes) -> None:
        """Write complete WebSocket frames, without blocking."""

    def quality_chosen(self, quality: Quality) -> None:
        """The viewer is about to get this rendition."""

    def timed_out(self) -> None:
        """Close the connection, because the viewer acknowledges nothing."""

    def sending_failed(self) -> None:
        """Close the connection, because sending to it raised an unexpected exception."""


class Programme(Protocol):
    """The muxed stream, as its viewers see it."""

    @property
    def has_small(self) -> bool:
        """Whether the small rendition can be had."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def rate(self, quality: Quality) -> float:
        """Return the measured bit rate of a rendition."""

    def choose(self, viewer: str, quality: Quality) -> None:
        """Mux this rendition for the viewer, and encode it."""

    def release(self, viewer: str, quality: Quality) -> None:
        """The viewer needs this rendition no longer."""

    def request_keyframe(self, viewer: str, quality: Quality) -> None:
        """Force a keyframe of a rendition for the viewer, as soon as the gate allows."""

    def with_audio_from(self, message: FragmentMessage, start: int) -> FragmentMessage:
        """Return the fragment with audio that begins at this time, in ticks."""


class MuxedViewer:
    """Sends one rendition at a time, and changes to the other one at a keyframe, with no picture missing or twice."""

    def __init__(self, programme: Programme, viewer: str, outlet: Outlet) -> None:
        self.viewer = viewer
        self.outlet = outlet
        self.quality = Quality.FULL
        self.bytes_sent = 0
        self._programme = programme
        self._tail = Tail()
        self._choice = RenditionChoice()
        self._target = Quality.FULL
        self._held: FragmentMessage | None = None
        self._last_time = -1.0
        self._audio_end: int | None = None
        self._small_since = 0.0
        self._is_narrow = False

    def start(self, preference: QualityPreference, last: Quality) -> None:
        """Begin with the viewer's choice; `last` is the rendition that it got before."""
        self._choice.start(preference, last)
        self._change(self._choice.quality if self._programme.has_small else Quality.FULL)

    def replay(self, messages: list[FragmentMessage]) -> None:
        """Begin with the messages since the last keyframe."""
        now = self._programme.now()
        for message in messages:
            self._add(message, now)
        self.flush()

    def prefer(self, preference: QualityPreference) -> None:
        """Take the viewer's choice of the rendition."""
        self._choice.prefer(preference, self._programme.now())
        self._apply_choice()

    def take(self, message: FragmentMessage, quality: Quality, now: float) -> None:
        """Take the next fragment of a rendition, and send what the network takes."""
        if quality is self.quality:
            self._take_current(message, now)
        elif quality is self._target:
            self._take_target(message, now)
        if self._tail.silence(now) > ACK_TIMEOUT:
            self.outlet.timed_out()

    def ack(self, count: int) -> bool:
        """Take an acknowledgement; return whether it can be right."""
        is_news = self._tail.ack(count, self._programme.now())
        self.flush()
        return is_news

    def flush(self) -> None:
        """Send what waits, as far as the network takes it: something was acknowledged, or left the write buffer."""
        if self._tail:
            self._send(self._programme.now())

    def request_keyframe(self) -> None:
        """Force a keyframe, as soon as the gate allows."""
        self._programme.request_keyframe(self.viewer, self.quality)

    def restart(self, quality: Quality) -> None:
        """What follows in this rendition has no connection with what came before."""
        if quality is self.quality:
            self._restart()

    def small_ended(self) -> None:
        """There is no small rendition any more: go on with the full one."""
        if Quality.SMALL in (self.quality, self._target):
            self._choice.reset(self._programme.now())
            self._jump(Quality.FULL)

    def uses(self, quality: Quality) -> bool:
        """Return whether the viewer gets this rendition, or is about to."""
        return quality in (self.quality, self._target)

    @property
    def vote(self) -> int | None:
        """The bandwidth estimate in bits per second if the rendition needs more than the network carries, else None."""
        return self._tail.estimate if self._is_narrow else None

    def stats(self) -> MediaStats:
        """Return statistics for the operator."""
        tail, now = self._tail, self._programme.now()
        return MediaStats(
            quality=self.quality,
            bytes_sent=self.bytes_sent,
            messages=tail.sent,
            unacknowledged=tail.sent - tail.acknowledged,
            skipped=tail.skipped,
            backlog=round(tail.backlog(now), 3),
            estimate=tail.estimate,
        )

    def _take_current(self, message: FragmentMessage, now: float) -> None:
        if self._target is not self.quality:
            message, self._held = self._held or message, message
            if message is self._held:
                return
        self._add(message, now)
        self._send(now)
        if self._tail.backlog(now) > CONGESTED and self._congested(now):
            self._jump(Quality.SMALL)
        elif self._tail.waits_for_keyframe and self.outlet.is_writable and self._tail.may_send(now):
            self.request_keyframe()
        elif message.keyframe:
            self._watch_bandwidth(now)

    def _congested(self, now: float) -> bool:
        """The network cannot carry what is sent; return whether the viewer gets the small rendition instead."""
        if self._programme.has_small and self._choice.congested(now):
            return True
        self._is_narrow = True
        return False

    def _watch_bandwidth(self, now: float) -> None:
        estimate, rate = self._tail.estimate, self._programme.rate(self.quality)
        self._is_narrow = self._is_narrow and (estimate is None or estimate < AMPLE * rate)
        if self.quality is Quality.SMALL:
            self._try_full(now)

    def _take_target(self, message: FragmentMessage, now: float) -> None:
        """Change to the target at its keyframe, in the place of the picture of the same time."""
        if not message.keyframe or message.time <= self._last_time:
            self._programme.request_keyframe(self.viewer, self._target)
            return
        held, self._held = self._held, None
        if held is not None and held.time < message.time:
            self._add(held, now)
        before, self.quality = self.quality, self._target
        self._programme.release(self.viewer, before)
        self._add(message, now)
        self._send(now)

    def _try_full(self, now: float) -> None:
        """Go back to the full rendition when the network seems to carry it; if it does not, the next try is later."""
        tail, choice = self._tail, self._choice
        estimate = tail.estimate if now - self._small_since < TRUSTED else None
        rate = self._programme.rate(Quality.FULL)
        if choice.is_attempt_due(is_well=tail.backlog(now) < CONGESTED / 2, estimate=estimate, rate=rate, now=now):
            choice.attempt_ended(passed=True, now=now)
            self._apply_choice()

    def _apply_choice(self) -> None:
        """Change to what was chosen at a keyframe of it."""
        quality = self._choice.quality
        if quality is self._target or (quality is Quality.SMALL and not self._programme.has_small):
            return
        before, self._target = self._target, quality
        if quality is self.quality:  # the change has not happened yet
            held, self._held = self._held, None
            if held is not None:
                self._add(held, self._programme.now())
            self._programme.release(self.viewer, before)
        self._chosen(quality)
        if quality is not self.quality:
            self._programme.request_keyframe(self.viewer, quality)

    def _jump(self, quality: Quality) -> None:
        """Go on with the next keyframe of `quality` at once: what waits is of no use any more."""
        self._restart()
        self._change(quality)
        self._programme.request_keyframe(self.viewer, quality)

    def _change(self, quality: Quality) -> None:
        before = {self.quality, self._target} - {quality}
        self.quality = self._target = quality
        for other in before:
            self._programme.release(self.viewer, other)
        self._chosen(quality)

    def _chosen(self, quality: Quality) -> None:
        self._is_narrow = False
        if quality is Quality.SMALL:
            self._small_since = self._programme.now()
        self._programme.choose(self.viewer, quality)
        self.outlet.quality_chosen(quality)

    def _restart(self) -> None:
        self._tail.restart()
        self._held = None
        self._audio_end = None

    def _add(self, message: FragmentMessage, now: float) -> None:
        """Queue a fragment; after a change of the rendition its audio has to begin where that of the last one ended."""
        if self._audio_end is not None and message.audio_start not in (None, self._audio_end):
            message = self._programme.with_audio_from(message, self._audio_end)
        self._tail.add(message, now)
        self._last_time = message.time if message.has_picture else self._last_time
        self._audio_end = None if self._tail.waits_for_keyframe else message.audio_end or self._audio_end

    def _send(self, now: float) -> None:
        while self.outlet.is_writable and (data := self._tail.next(now)) is not None:
            self.bytes_sent += len(data)
            self.outlet.write(data)
