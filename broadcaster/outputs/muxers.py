"""The stream as fragments: one muxer for the video of each rendition, with the audio that all share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from broadcaster.media.mp4 import Fragment, Sample, tracks_of
from broadcaster.media.mp4_timing import STALL, AudioTiming, VideoTiming
from broadcaster.model.stream import AccessUnit, OpusFrame, Quality
from broadcaster.outputs.messages import FragmentMessage, InitMessages, fragment_message, init_messages
from broadcaster.stream.hub import Hub, Subscription

RESUBSCRIBE_AFTER = 1.0
"""Seconds from a failure of a muxer to its next subscription."""

AUDIO_LATE = 0.4
"""Seconds by which audio may come after the video of the same time before silence takes its place: players show
nothing for which they have no audio."""

AUDIO_ALONE = 5
"""Opus frames that do not wait for the next picture any longer. Usually they leave with it: players cannot go on
without it, and each message costs each viewer two system calls."""

_RECENT = 50
"""Opus frames that are kept: one second."""


class Receiver(Protocol):
    """Takes the fragments for the viewers."""

    def publish(self, message: FragmentMessage, quality: Quality, now: float) -> None:
        """Take the next fragment of a rendition."""

    def restart(self, quality: Quality) -> None:
        """What follows in this rendition has no connection with what came before."""

    def unusable(self, quality: Quality, error: ValueError) -> None:
        """The viewers get no video of this rendition, because its parameter sets cannot be used."""


class _Subscriber:
    """Keeps a subscription of the hub: when it ends by an error, it begins again in a moment."""

    def __init__(self, hub: Hub, name: str, quality: Quality) -> None:
        self.rendition = hub.full if quality is Quality.FULL else hub.small
        self._hub = hub
        self._name = name
        self._quality = quality
        self.is_open = False
        self._subscription: Subscription | None = None
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Subscribe to the hub."""
        self.is_open = True
        self._subscription = self._hub.subscribe(self._name, self, self._quality)

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        self.is_open = False
        if self._retry is not None:
            self._retry.cancel()
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None

    def source_changed(self) -> None:
        """What follows is of another source (`hub.Subscriber`)."""

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Take the next access unit (`hub.Subscriber`)."""
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Take the next Opus frame (`hub.Subscriber`)."""

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment (`hub.Subscriber`)."""
        self._subscription = None
        self.source_changed()
        self._retry = asyncio.get_running_loop().call_later(RESUBSCRIBE_AFTER, self.open)


class AudioCollector(_Subscriber):
    """Makes samples of the Opus frames, and of silence where frames are missing; `take` gets them.

    `picture` is called at each picture of the full rendition. `recent` are the samples of the last second.
    """

    def __init__(
        self,
        hub: Hub,
        base: float,
        has_audio: Callable[[], bool],
        take: Callable[[list[Sample], float], None],
        picture: Callable[[], None],
    ) -> None:
        super().__init__(hub, "media audio", Quality.FULL)
        self.recent: deque[Sample] = deque(maxlen=_RECENT)
        self._timing = AudioTiming(base)
        self._has_audio = has_audio
        self._take = take
        self._picture = picture

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Take the next Opus frame (`hub.Subscriber`)."""
        self._add(self._timing.add(frame), now)

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Add silence if the audio is late, compared with a picture (`hub.Subscriber`)."""
        if self._has_audio():
            self._add(self._timing.fill(unit.captured - AUDIO_LATE), now)
        self._picture()
        return True

    def _add(self, samples: list[Sample], now: float) -> None:
        if samples:
            self.recent.extend(samples)
            self._take(samples, now)


class Muxer(_Subscriber):
    """Makes a fragment of each picture of a rendition, as soon as the next one shows its duration.

    `messages` are those since the last keyframe, as far as the rendition's keyframe cache holds them.
    """

    def __init__(
        self,
        hub: Hub,
        quality: Quality,
        base: float,
        numbers: Iterator[int],
        receiver: Receiver,
        has_audio: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """`has_audio` returns whether the stream is supposed to have audio now."""
        super().__init__(hub, f"media {quality}", quality)
        self.quality = quality
        self.messages: list[FragmentMessage] = []
        self._base = base
        self._numbers = numbers
        self._receiver = receiver
        self._has_audio = has_audio
        self._clock = clock
        self._timing = VideoTiming(base)
        self._audio: list[Sample] = []
        self._init: InitMessages | None = None
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Unsubscribe from the hub; idempotent."""
        super().close()
        self._set_timer(on=False)

    def source_changed(self) -> None:
        """Let the viewers wait for the first keyframe of what follows (`hub.Subscriber`)."""
        self._set_timer(on=False)
        self._timing.flush()
        self._init = None
        self._audio.clear()
        self.messages.clear()
        self._receiver.restart(self.quality)

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Publish the picture before this one (`hub.Subscriber`)."""
        if not unit.keyframe and not self._timing.follows(unit):
            return False
        sample = self._timing.add(unit)
        if sample is not None:
            self._publish((sample,), now)
        if unit.keyframe:
            self.messages.clear()
            self._init = self._init_of(unit)
        self._set_timer(on=True)
        return True

    def add_audio(self, samples: list[Sample], now: float) -> None:
        """Take audio, which leaves with the next picture."""
        if self._init is None or not self._init.tracks.audio:
            return
        self._audio += samples
        if len(self._audio) >= AUDIO_ALONE:
            self._publish((), now)

    def _init_of(self, keyframe: AccessUnit) -> InitMessages | None:
        """Return the init segment that this keyframe needs; None if players could not use it."""
        try:
            tracks = tracks_of(keyframe.data, audio=self._has_audio())
        except ValueError as error:
            self._receiver.unusable(self.quality, error)
            return None
        if self._init is not None and self._init.tracks == tracks:
            return self._init
        return init_messages(tracks, self._base, self.quality)

    def _publish(self, video: tuple[Sample, ...], now: float) -> None:
        """Publish a fragment of a picture, if any, and the audio that has been waiting."""
        if self._init is None:
            return
        content = Fragment(next(self._numbers), video, tuple(self._audio))
        self._audio.clear()
        message = fragment_message(content, self._init)
        if message.keyframe or not self.rendition.cache.units:
            self.messages.clear()
        if self.messages or message.keyframe:
            self.messages.append(message)
        self._receiver.publish(message, self.quality, now)

    def _set_timer(self, *, on: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if on and self.is_open:
            self._timer = asyncio.get_running_loop().call_later(STALL, self._stalled)

    def _stalled(self) -> None:
        """The next picture does not come: publish the last one."""
        self._timer = None
        sample = self._timing.flush()
        if sample is not None:
            self._publish((sample,), self._clock())
