"""The hub: takes access units and Opus frames from the sources, and hands them to every subscriber.

A subscriber never blocks the hub: it takes a reference and returns. One whose buffer is full is skipped to the next
keyframe and counted; one that raises is unsubscribed, and the others are not affected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.ports import Clock, VideoSource
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.rendition import Rendition
from broadcaster.stream.small_rendition import SmallRendition


class Subscriber(Protocol):
    """What consumes the stream: RTP fan-out, recorder, muxer. Every call returns at once."""

    def source_changed(self) -> None:
        """What follows has no connection with what came before; it begins with a keyframe."""

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Take a reference to the next access unit; False when the buffer is full, and the unit was dropped."""

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Take a reference to the next Opus frame, or drop it."""

    def ended(self, error: Exception) -> None:
        """The subscription has ended, because one of the calls above raised `error`."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscriber of a rendition; `dropped` counts the access units that it did not get."""

    name: str
    subscriber: Subscriber
    rendition: Rendition
    waits_for_keyframe: bool = True
    dropped: int = 0


class Hub:
    """Publishes the stream to any number of subscribers; what these raise goes to `bugs`.

    A subscriber gets the access units of one rendition. Audio goes to those of the full one. To get
    both renditions, subscribe twice.
    """

    def __init__(
        self, clock: Clock, bugs: BugLog | None = None, bitrate: float = 0.0, small_bitrate: float = 400_000.0
    ) -> None:
        """`bitrate` and `small_bitrate` are the highest ones of the renditions, in bits per second."""
        self.full = Rendition(bitrate=bitrate)
        self.small = SmallRendition(small_bitrate)
        self.access_units = 0
        self._clock = clock
        self._bugs = bugs or BugLog()
        self._subscriptions: list[Subscription] = []

    def subscribe(self, name: str, subscriber: Subscriber, quality: Quality = Quality.FULL) -> Subscription:
        """Hand everything from now on to `subscriber`, beginning with a keyframe: the cached one while it is fresh."""
        rendition = self._rendition(quality)
        subscription = Subscription(name, subscriber, rendition)
        self._subscriptions.append(subscription)
        now = self._clock.monotonic()
        if rendition.cache.is_fresh(now):
            for unit in rendition.cache.units:
                self._offer(subscription, unit, now)
        else:
            rendition.request_keyframe(name, now)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Hand nothing more to this subscriber; idempotent."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            subscription.rendition.gate.forget(subscription.name)

    def attach(self, source: VideoSource) -> None:
        """A source is being opened: every subscriber goes on with its first keyframe."""
        self.full.attach(source)
        self.small.attach(source)
        for subscription in tuple(self._subscriptions):
            subscription.waits_for_keyframe = True
            self._call(subscription, subscription.subscriber.source_changed)

    def publish_video(self, unit: AccessUnit, quality: Quality = Quality.FULL) -> None:
        """Hand an access unit to every subscriber of its rendition."""
        now = self._clock.monotonic()
        rendition = self._rendition(quality)
        rendition.add(unit, now)
        for subscription in tuple(self._subscriptions):
            if subscription.rendition is rendition:
                self._offer(subscription, unit, now)
        rendition.poll(now)
        if rendition is self.full:
            self.access_units += 1
            self.small.poll(now)

    def publish_audio(self, frame: OpusFrame) -> None:
        """Hand an Opus frame to every subscriber of the full rendition."""
        now = self._clock.monotonic()
        for subscription in tuple(self._subscriptions):
            if subscription.rendition is self.full:
                self._call(subscription, partial(subscription.subscriber.audio, frame, now))

    def _rendition(self, quality: Quality) -> Rendition:
        return self.full if quality is Quality.FULL else self.small

    def _offer(self, subscription: Subscription, unit: AccessUnit, now: float) -> None:
        """Hand over an access unit, unless the subscriber waits for a keyframe and this is none."""
        if subscription.waits_for_keyframe and not unit.keyframe:
            subscription.dropped += 1
            return
        taken = self._call(subscription, partial(subscription.subscriber.video, unit, now))
        subscription.waits_for_keyframe = not taken
        if taken is False:
            subscription.dropped += 1
            subscription.rendition.request_keyframe(subscription.name, now)

    def _call(self, subscription: Subscription, call: Callable[[], bool | None]) -> bool | None:
        """Call a subscriber, and return what it returns; what it raises ends its subscription, and None is returned."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - logged and counted
            self._bugs.add(f"subscriber {subscription.name}, which is unsubscribed", error)
            self.unsubscribe(subscription)
            subscription.subscriber.ended(error)
        return None
