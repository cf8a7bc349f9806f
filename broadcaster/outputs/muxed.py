"""The stream as fragmented MP4 for viewers whom UDP does not reach: muxed once, and only while somebody watches."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from broadcaster.media.mp4 import Sample
from broadcaster.model.stats import MediaTotals
from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.outputs.messages import FragmentMessage, with_audio_from
from broadcaster.outputs.muxers import AudioCollector, Muxer
from broadcaster.outputs.viewer import MuxedViewer, Outlet
from broadcaster.ports import Clock
from broadcaster.stream.hub import Hub
from broadcaster.stream.rendition import MAX_CACHE_DURATION, Rendition

log = logging.getLogger(__name__)

_MARGIN = 1.0
"""Seconds before the oldest picture in the keyframe cache, so that no media time is negative."""


class MuxedStream:
    """All viewers of the muxed stream. `has_audio` returns whether the stream is supposed to have audio now."""

    def __init__(self, hub: Hub, clock: Clock, has_audio: Callable[[], bool]) -> None:
        self.now = clock.monotonic
        self._hub = hub
        self._has_audio = has_audio
        self._viewers: dict[str, MuxedViewer] = {}
        self._muxers: dict[Quality, Muxer] = {}
        self._audio: AudioCollector | None = None
        self._base = 0.0
        self._numbers = itertools.count(1)
        self._had_small = False
        self._unusable: dict[Quality, int] = {}
        self._past = MediaTotals()

    def __len__(self) -> int:
        """The number of viewers."""
        return len(self._viewers)

    @property
    def viewers_by_quality(self) -> Counter[Quality]:
        """How many viewers get each rendition."""
        return Counter(viewer.quality for viewer in self._viewers.values())

    def bandwidth_estimates(self, quality: Quality) -> list[int]:
        """Return the bandwidth of the viewers for whom a rendition needs too much, in bits per second, ascending.

        Each network has one vote, its highest, as at the RTP fan-out.
        """
        votes: dict[str, int] = {}
        for viewer in self._viewers.values():
            if viewer.quality is quality and (vote := viewer.vote) is not None:
                votes[viewer.outlet.network] = max(votes.get(viewer.outlet.network, 0), vote)
        return sorted(votes.values())

    def totals(self) -> MediaTotals:
        """Return what all viewers, also former ones, have got."""
        totals = replace(self._past, viewers=len(self))
        for viewer in self._viewers.values():
            totals += viewer.stats()
        return totals

    def subscribe(self, viewer: str, outlet: Outlet, preference: QualityPreference, last: Quality) -> MuxedViewer:
        """Send everything from now on to `viewer`, beginning with a keyframe as soon as there is one."""
        if self._audio is None:
            self._open()
        muxed = MuxedViewer(self, viewer, outlet)
        muxed.start(preference, last)
        self._viewers[viewer] = muxed
        rendition, now = self._rendition(muxed.quality), self.now()
        if rendition.cache.is_fresh(now, len(self._viewers)) or not rendition.can_force_keyframe:
            muxed.replay(self._muxers[muxed.quality].messages)
        else:
            rendition.request_keyframe(viewer, now)
        return muxed

    def unsubscribe(self, muxed: MuxedViewer) -> None:
        """Send nothing more to this viewer; idempotent."""
        if self._viewers.get(muxed.viewer) is not muxed:
            return
        del self._viewers[muxed.viewer]
        self._past += muxed.stats()
        for quality in Quality:
            self._rendition(quality).gate.forget(muxed.viewer)
            self.release(muxed.viewer, quality)
        if not self._viewers and self._audio is not None:
            self._audio.close()
            self._audio = None

    @property
    def has_small(self) -> bool:
        """Whether the small rendition can be had (`viewer.Programme`)."""
        return self._hub.small.is_available

    def rate(self, quality: Quality) -> float:
        """Return the measured bit rate of a rendition (`viewer.Programme`)."""
        return self._rendition(quality).meter.rate

    def choose(self, viewer: str, quality: Quality) -> None:
        """Mux a rendition for this viewer, and encode it (`viewer.Programme`)."""
        if quality is Quality.SMALL:
            self._hub.small.use(_user(viewer), self.now())
        if quality not in self._muxers:
            muxer = Muxer(self._hub, quality, self._base, self._numbers, self, self._has_audio, self.now)
            self._muxers[quality] = muxer
            muxer.open()

    def release(self, viewer: str, quality: Quality) -> None:
        """The viewer needs this rendition no longer (`viewer.Programme`)."""
        if quality is Quality.SMALL:
            self._hub.small.release(_user(viewer), self.now())
        if quality in self._muxers and not any(other.uses(quality) for other in self._viewers.values()):
            self._muxers.pop(quality).close()

    def request_keyframe(self, viewer: str, quality: Quality) -> None:
        """Force a keyframe of a rendition as soon as the gate allows (`viewer.Programme`)."""
        self._rendition(quality).request_keyframe(viewer, self.now())

    def with_audio_from(self, message: FragmentMessage, start: int) -> FragmentMessage:
        """Return a fragment with audio that begins at this time, in ticks (`viewer.Programme`)."""
        return message if self._audio is None else with_audio_from(message, start, self._audio.recent)

    def publish(self, message: FragmentMessage, quality: Quality, now: float) -> None:
        """Send a fragment to the viewers of its rendition (`muxers.Receiver`)."""
        for viewer in tuple(self._viewers.values()):
            if viewer.uses(quality):
                self._take(viewer, message, quality, now)

    def restart(self, quality: Quality) -> None:
        """Let the viewers of a rendition wait for its next keyframe (`muxers.Receiver`)."""
        for viewer in self._viewers.values():
            viewer.restart(quality)

    def unusable(self, quality: Quality, error: ValueError) -> None:
        """Log, once for each source, why a rendition has no video (`muxers.Receiver`)."""
        source = self._rendition(quality).sources
        if self._unusable.get(quality) != source:
            self._unusable[quality] = source
            log.warning("no video over /media (%s rendition): %s", quality, error)

    def _open(self) -> None:
        """Start collecting audio; the time zero of the media is that of the first viewer."""
        self._base = round(self.now() - MAX_CACHE_DURATION - _MARGIN, 3)
        self._audio = AudioCollector(self._hub, self._base, self._has_audio, self._add_audio, self._watch_small)
        self._audio.open()

    def _add_audio(self, samples: list[Sample], now: float) -> None:
        for muxer in tuple(self._muxers.values()):
            muxer.add_audio(samples, now)

    def _watch_small(self) -> None:
        """Take the viewers of the small rendition back when there is none any more."""
        had_small, self._had_small = self._had_small, self.has_small
        if had_small and not self._had_small:
            for viewer in tuple(self._viewers.values()):
                viewer.small_ended()

    def _rendition(self, quality: Quality) -> Rendition:
        return self._hub.full if quality is Quality.FULL else self._hub.small

    def _take(self, viewer: MuxedViewer, message: FragmentMessage, quality: Quality, now: float) -> None:
        """Hand a fragment to one viewer; an exception ends that viewer only."""
        try:
            viewer.take(message, quality, now)
        except Exception:
            log.exception("%s: sending over /media failed; closing its connection", viewer.viewer)
            self.unsubscribe(viewer)
            viewer.outlet.sending_failed()


def _user(viewer: str) -> str:
    """Return the name as a user of the small rendition, other than that of the viewer's peer connection."""
    return f"media {viewer}"
