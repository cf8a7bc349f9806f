"""One rendition on its way to the viewers: access units become RTP frames, once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from broadcaster.media.rtp import Packetizer, RtpFrame
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.stream.hub import Hub, Subscription
from broadcaster.stream.rendition import Rendition

RESUBSCRIBE_AFTER = 1.0
"""Seconds from a failure of the fan-out itself to its next subscription: viewers see a pause, not the end."""


class Feed:
    """Packetizes one rendition, and keeps the frames that its keyframe cache holds (`hub.Subscriber`).

    `send_video` and `send_audio` take the RTP frames; `restart` is called when what follows has no connection with
    what came before.
    """

    def __init__(
        self,
        hub: Hub,
        rendition: Rendition,
        packetizer: Packetizer,
        send_video: Callable[[RtpFrame, Quality], None],
        send_audio: Callable[[RtpFrame], None],
        restart: Callable[[Quality], None],
    ) -> None:
        self.rendition = rendition
        self.frames: list[RtpFrame] = []
        self.reference: tuple[int, float] | None = None
        self._hub = hub
        self._packetizer = packetizer
        self._send_video = send_video
        self._send_audio = send_audio
        self._restart = restart
        self._subscription: Subscription | None = None

    @property
    def quality(self) -> Quality:
        """Which rendition it is."""
        return self.rendition.quality

    def open(self) -> None:
        """Subscribe to the hub."""
        self._subscription = self._hub.subscribe(f"rtp {self.quality}", self, self.quality)

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None

    def source_changed(self) -> None:
        """Let the viewers wait for the first keyframe of the source that follows (`hub.Subscriber`)."""
        self.frames.clear()
        self.reference = None
        self._restart(self.quality)

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Send one picture (`hub.Subscriber`)."""
        frame = self._packetizer.packetize_video(unit, now)
        if frame is not None:
            self.reference = (frame.timestamp, unit.captured * 1000)
            self._remember(frame)
            self._send_video(frame, self.quality)
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Send 20 ms of audio (`hub.Subscriber`)."""
        self._send_audio(self._packetizer.packetize_audio(frame, now))

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment: viewers stay connected (`hub.Subscriber`)."""
        self._subscription = None
        self.source_changed()
        asyncio.get_running_loop().call_later(RESUBSCRIBE_AFTER, self.open)

    def _remember(self, frame: RtpFrame) -> None:
        """Keep the packets of what the rendition's cache holds."""
        if frame.keyframe or not self.rendition.cache.units:
            self.frames.clear()
        if self.rendition.cache.units:
            self.frames.append(frame)
