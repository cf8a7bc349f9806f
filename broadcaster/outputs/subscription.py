"""A subscription of the hub that lasts: it is renewed when an error has ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broadcaster.model.stream import StreamStatus
from broadcaster.ports import StreamControl
from broadcaster.stream.hub import Hub, Subscriber, Subscription

RESUBSCRIBE_AFTER = 1.0
"""Seconds from a failure of the subscriber to its next subscription."""


class LastingSubscription:
    """Subscribes to the full rendition, and watches the state of the stream, until it is closed."""

    def __init__(
        self,
        hub: Hub,
        stream: StreamControl,
        name: str,
        subscriber: Subscriber,
        stream_changed: Callable[[StreamStatus], None],
    ) -> None:
        """`stream_changed` is called with each new state; `subscriber` calls `renew` when it is told of its end."""
        self._hub = hub
        self._stream = stream
        self._name = name
        self._subscriber = subscriber
        self._stream_changed = stream_changed
        self._subscription: Subscription | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._unwatch: Callable[[], None] | None = None

    def start(self) -> None:
        """Subscribe, and watch the stream."""
        self._subscribe()
        self._unwatch = self._stream.watch(self._stream_changed)

    def close(self) -> None:
        """End both; idempotent."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if self._retry is not None:
            self._retry.cancel()
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None

    def renew(self) -> None:
        """Subscribe again in a moment, because the subscription has ended."""
        self._subscription = None
        self._retry = asyncio.get_running_loop().call_later(RESUBSCRIBE_AFTER, self._subscribe)

    def _subscribe(self) -> None:
        self._subscription = self._hub.subscribe(self._name, self._subscriber)
