"""The small rendition: a second, smaller encoding for slow networks, which runs only while a viewer needs it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import Clock, VideoSource
from broadcaster.stream.rendition import Rendition

log = logging.getLogger(__name__)

RETRY_AFTER = 30.0
"""Seconds after which an encoder that has failed may be started again: a machine may be busy for a while only."""

LINGER = 10.0
"""Seconds for which the encoder keeps running after the last viewer has left: the next one then starts at once."""


class SmallRendition(Rendition):
    """The rendition whose encoder starts with its first user, and stops `LINGER` seconds after its last one has left.

    `failure` is the reason if the encoder has failed, else empty.
    """

    def __init__(self, bitrate: float) -> None:
        """`bitrate` is the highest one, in bits per second."""
        super().__init__(Quality.SMALL, bitrate)
        self._users: set[str] = set()
        self._unused_since = 0.0
        self._is_running = False
        self._failed_at = 0.0
        self._logged_failure = ""
        self.failure = ""

    @property
    def is_available(self) -> bool:
        """Whether the source can encode it, and its encoder has not failed a moment ago."""
        return self._source is not None and self._source.traits.small_size is not None and not self.failure

    @property
    def is_running(self) -> bool:
        """Whether its encoder runs."""
        return self._is_running

    def attach(self, source: VideoSource) -> None:
        """Take what follows from `source`; its small encoder starts at once if there are users."""
        super().attach(source)
        self._is_running, self.failure = False, ""

    def use(self, user: str, now: float) -> None:
        """Run the encoder from now on, for `user` among others; idempotent."""
        self._users.add(user)
        self.poll(now)

    def release(self, user: str, now: float) -> None:
        """`user` needs the encoder no longer; idempotent."""
        if user in self._users:
            self._users.remove(user)
            self._unused_since = now

    def failed(self, error: SourceError, now: float) -> None:
        """The encoder has failed: there is no small rendition for `RETRY_AFTER` seconds."""
        if error.detail != self._logged_failure:
            log.warning("no small rendition: %s; trying again when it is needed", error.detail)
        self.failure = self._logged_failure = error.detail
        self._failed_at = now
        self._switch(False)

    def poll(self, now: float) -> None:
        """Start or stop the encoder, and force the keyframe that is due."""
        if self.failure and now - self._failed_at >= RETRY_AFTER:
            self.failure = ""
        if self._users and self.is_available:
            self._switch(True)
        elif self._is_running and now - self._unused_since >= LINGER:
            self._switch(False)
        if self._is_running:
            super().poll(now)

    def _switch(self, on: bool) -> None:
        if self._source is not None and on is not self._is_running:
            self._is_running = on
            self.cache.clear()
            self._source.encode_small(on)
            log.info("small rendition %s", "started" if on else "stopped")


class SmallSink:
    """Takes what the source's small encoder delivers (`ports.VideoSink`)."""

    def __init__(self, rendition: SmallRendition, publish: Callable[[AccessUnit, Quality], None], clock: Clock) -> None:
        self._rendition = rendition
        self._publish = publish
        self._clock = clock

    def picture(self, unit: AccessUnit) -> None:
        """Publish the next access unit."""
        self._publish(unit, Quality.SMALL)

    def failed(self, error: SourceError) -> None:
        """Go on without the small rendition for a while."""
        self._rendition.failed(error, self._clock.monotonic())
