"""The stream as fragmented MP4 for viewers whom UDP does not reach: muxed once, and only while somebody watches."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from broadcaster.media.mp4 import Sample
from broadcaster.model.stats import MediaStats, MediaTotals
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.outputs.messages import FragmentMessage
from broadcaster.outputs.muxers import AudioCollector, Muxer
from broadcaster.outputs.tail import Tail
from broadcaster.ports import Clock
from broadcaster.stream.hub import Hub
from broadcaster.stream.rendition import MAX_CACHE_DURATION, Rendition

log = logging.getLogger(__name__)

ACK_TIMEOUT = 10.0
"""Seconds without an acknowledgement after which a viewer's connection is closed."""

_MARGIN = 1.0
"""Seconds before the oldest picture in the keyframe cache, so that no media time is negative."""


class Outlet(Protocol):
    """One viewer's connection."""

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


class MuxedViewer:
    """One viewer: its tail, and the connection that takes what comes next."""

    def __init__(self, stream: MuxedStream, viewer: str, outlet: Outlet) -> None:
        self.viewer = viewer
        self.outlet = outlet
        self.quality = Quality.FULL
        self.bytes_sent = 0
        self._stream = stream
        self._tail = Tail()

    def start(self, messages: list[FragmentMessage], now: float) -> None:
        """Begin with the messages since the last keyframe."""
        for message in messages:
            self._tail.add(message, now)
        self.flush()

    def add(self, message: FragmentMessage, now: float) -> None:
        """Take the next message, and send what the network takes."""
        tail = self._tail
        tail.add(message, now)
        if tail.silence(now) > ACK_TIMEOUT:
            self.outlet.timed_out()
            return
        self._send(now)
        if tail.waits_for_keyframe and self.outlet.is_writable and tail.may_send(now):
            self._stream.request_keyframe(self)

    def flush(self) -> None:
        """Send what waits, as far as the network takes it: something was acknowledged, or left the write buffer."""
        if self._tail:
            self._send(self._stream.now())

    def _send(self, now: float) -> None:
        while self.outlet.is_writable and (data := self._tail.next(now)) is not None:
            self.bytes_sent += len(data)
            self.outlet.write(data)

    def ack(self, count: int) -> bool:
        """Take an acknowledgement; return whether it can be right."""
        is_news = self._tail.ack(count)
        self.flush()
        return is_news

    def restart(self) -> None:
        """Wait for the next keyframe."""
        self._tail.restart()

    def stats(self) -> MediaStats:
        """Return statistics for the operator."""
        tail, now = self._tail, self._stream.now()
        return MediaStats(
            quality=self.quality,
            bytes_sent=self.bytes_sent,
            messages=tail.sent,
            unacknowledged=tail.sent - tail.acknowledged,
            skipped=tail.skipped,
            backlog=round(tail.backlog(now), 3),
        )


class MuxedStream:
    """All viewers of the muxed stream. `has_audio` returns whether the stream is supposed to have audio now."""

    def __init__(self, hub: Hub, clock: Clock, has_audio: Callable[[], bool]) -> None:
        self.now = clock.monotonic
        self._hub = hub
        self._has_audio = has_audio
        self._viewers: dict[str, MuxedViewer] = {}
        self._muxers: dict[Quality, Muxer] = {}
        self._audio: AudioCollector | None = None
        self._past = MediaTotals()

    def __len__(self) -> int:
        """The number of viewers."""
        return len(self._viewers)

    @property
    def viewers_by_quality(self) -> Counter[Quality]:
        """How many viewers get each rendition."""
        return Counter(viewer.quality for viewer in self._viewers.values())

    def totals(self) -> MediaTotals:
        """Return what all viewers, also former ones, have got."""
        totals = replace(self._past, viewers=len(self))
        for viewer in self._viewers.values():
            totals += viewer.stats()
        return totals

    def subscribe(self, viewer: str, outlet: Outlet, preference: QualityPreference, last: Quality) -> MuxedViewer:
        """Send everything from now on to `viewer`, beginning with a keyframe as soon as there is one."""
        if not self._viewers:
            self._open()
        muxed = self._viewers[viewer] = MuxedViewer(self, viewer, outlet)
        muxer, now = self._muxers[muxed.quality], self.now()
        rendition = muxer.rendition
        if rendition.cache.is_fresh(now, len(self._viewers)) or not rendition.can_force_keyframe:
            muxed.start(muxer.messages, now)
        else:
            rendition.request_keyframe(viewer, now)
        outlet.quality_chosen(muxed.quality)
        return muxed

    def unsubscribe(self, muxed: MuxedViewer) -> None:
        """Send nothing more to this viewer; idempotent."""
        if self._viewers.get(muxed.viewer) is not muxed:
            return
        del self._viewers[muxed.viewer]
        self._past += muxed.stats()
        for muxer in self._muxers.values():
            muxer.rendition.gate.forget(muxed.viewer)
        if not self._viewers:
            self.close()

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        for muxer in (*self._muxers.values(), *filter(None, (self._audio,))):
            muxer.close()
        self._muxers.clear()
        self._audio = None

    def request_keyframe(self, muxed: MuxedViewer) -> None:
        """Force a keyframe of the viewer's rendition as soon as the gate allows."""
        self._rendition(muxed.quality).request_keyframe(muxed.viewer, self.now())

    def publish(self, message: FragmentMessage, quality: Quality, now: float) -> None:
        """Send a fragment to the viewers of its rendition (`muxers.Receiver`)."""
        for viewer in tuple(self._viewers.values()):
            if viewer.quality is quality:
                self._add(viewer, message, now)

    def restart(self, quality: Quality) -> None:
        """Let the viewers of a rendition wait for its next keyframe (`muxers.Receiver`)."""
        for viewer in self._viewers.values():
            if viewer.quality is quality:
                viewer.restart()

    def picture_captured(self, captured: float) -> None:
        """Add silence if the audio is late compared with the video (`muxers.Receiver`)."""
        if self._audio is not None and self._has_audio():
            self._audio.fill(captured, self.now())

    def _add_audio(self, samples: list[Sample], now: float) -> None:
        for muxer in self._muxers.values():
            muxer.add_audio(samples, now)

    def _open(self) -> None:
        base = round(self.now() - MAX_CACHE_DURATION - _MARGIN, 3)
        self._audio = AudioCollector(self._hub, base, self._add_audio)
        self._audio.open()
        muxer = Muxer(self._hub, Quality.FULL, base, itertools.count(1), self, self._has_audio, self.now)
        self._muxers[Quality.FULL] = muxer
        muxer.open()

    def _rendition(self, quality: Quality) -> Rendition:
        return self._hub.full if quality is Quality.FULL else self._hub.small

    def _add(self, viewer: MuxedViewer, message: FragmentMessage, now: float) -> None:
        """Hand a message to one viewer; an exception ends that viewer only."""
        try:
            viewer.add(message, now)
        except Exception:
            log.exception("%s: sending over /media failed; closing its connection", viewer.viewer)
            self.unsubscribe(viewer)
            viewer.outlet.sending_failed()
