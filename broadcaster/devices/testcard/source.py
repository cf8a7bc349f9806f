"""The video source `test`: the test picture, encoded in software."""

from __future__ import annotations

import asyncio
import logging

from broadcaster.devices.encoder import BUFFER, Encoder
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.pace import Pace, SkipCount
from broadcaster.devices.small import NO_SMALL_VIDEO, RenditionsMixin, SmallVideo
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import StreamReason
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoSink, VideoTraits

log = logging.getLogger(__name__)

CAMERA_BUFFER = 0.7
"""VBV buffer in seconds of the bit rate with `camera_like`: encoders of cameras hardly limit the size of keyframes."""


class TestCard(RenditionsMixin):
    """`ports.VideoSource` that needs no device: the picture of `Pattern` through `Encoder`.

    Pictures are numbered in the order of drawing. If drawing and encoding take longer than the frame interval,
    pictures are skipped, never delayed. With `camera_like`, keyframes are about ten times as large as other
    pictures, as those of a camera, instead of twice.
    """

    __test__ = False  # pytest would collect the class because of its name

    def __init__(
        self,
        clock: Clock,
        *,
        width: int,
        height: int,
        fps: float,
        bitrate: int,
        keyframe_interval: float,
        camera_like: bool = False,
        small: SmallVideo = NO_SMALL_VIDEO,
    ) -> None:
        """Units: pixels (even), frames per second, bits per second, seconds."""
        self._clock = clock
        self._size = width, height
        self._fps = fps
        self._bitrate = bitrate
        self._keyframe_interval = keyframe_interval
        self._camera_like = camera_like
        self._small_video = small
        self._thread: SourceThread[AccessUnit] | None = None

    @property
    def traits(self) -> VideoTraits:
        """Properties of the source."""
        return VideoTraits(
            "test",
            Encoder.name,
            *self._size,
            self._fps,
            True,
            True,
            small_size=self._small_video.size(*self._size),
            no_small=self._small_video.obstacle(*self._size),
        )

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into `sink` and `small`. Raises `SourceError`."""
        width, height = self._size
        with libav_errors(StreamReason.ENCODER, "testsrc2"):
            pattern = await asyncio.to_thread(Pattern, width, height, self._fps, noise=self._camera_like)
        encoder = self._encoder = Encoder(
            width=width,
            height=height,
            fps=self._fps,
            bitrate=self._bitrate,
            keyframe_interval=self._keyframe_interval,
            buffer=CAMERA_BUFFER if self._camera_like else BUFFER,
        )
        self._small = self._small_video.encoder(small, *self._size, self._keyframe_interval)
        self._thread = SourceThread(
            "test-video",
            lambda thread: self._run(thread, pattern, encoder),
            sink.picture,
            sink.failed,
            StreamReason.ENCODER,
        )
        self._thread.start()

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread, self._encoder, self._small = self._thread, None, None, None
        if thread:
            await thread.close()

    def _run(self, thread: SourceThread[AccessUnit], pattern: Pattern, encoder: Encoder) -> None:
        """Draw and encode until closed.

        The first picture is not timed: opening libx264 and allocating memory takes as long as several pictures, and
        does not mean that the machine is too slow.
        """
        self._deliver(thread, pattern, encoder, 0)
        period, number = 1 / self._fps, 1
        pace = Pace(self._clock.monotonic() + period, period, tolerance=period)
        skips = SkipCount()
        while True:
            now = self._clock.monotonic()
            index, skipped = pace.next(now)
            if count := skips.add(skipped, now):
                log.warning("overloaded; test pictures skipped: %d", count)
            if not thread.pause(pace.due(index) - now):
                return
            self._deliver(thread, pattern, encoder, number)
            number += 1

    def _deliver(self, thread: SourceThread[AccessUnit], pattern: Pattern, encoder: Encoder, number: int) -> None:
        captured = self._clock.monotonic()
        with libav_errors(StreamReason.ENCODER, "testsrc2"):
            picture = pattern.draw(number, self._clock.unix())
        small = self._small
        if small:
            small.prepare(picture)
        thread.deliver(encoder.encode(picture, captured))
        if small:
            small.feed(picture, captured, self._fps, encoder.load, thread.call)
