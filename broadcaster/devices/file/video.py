"""The video source `file`: a media file's picture in a loop, as it is where a browser can take it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

from av.bitstream import BitStreamFilterContext
from av.video.frame import VideoFrame

from broadcaster.devices.encoder import Encoder, EncoderMixin
from broadcaster.devices.file.media_file import MediaFile, Run
from broadcaster.devices.file.media_info import VideoTrack
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.pace import SkipCount
from broadcaster.devices.scaler import Scaler, fitted_size
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoSink, VideoTraits

log = logging.getLogger(__name__)

_PASSING = "none (H.264 passes through)"


class FileVideo(EncoderMixin):
    """`ports.VideoSource` of a file.

    Constrained baseline H.264 with keyframes near enough passes through; then no keyframe can be forced
    and no rate set. All else is encoded anew, at the file's own rate and its own size up to that of the
    settings. If that is too slow, pictures are left out, never delayed.
    """

    def __init__(
        self,
        clock: Clock,
        file: MediaFile,
        *,
        width: int,
        height: int,
        fps: float,
        bitrate: int,
        keyframe_interval: float,
    ) -> None:
        """Largest size in pixels; pictures a second until the file says its own; bits a second; seconds."""
        self._clock = clock
        self._file = file
        self._box = width, height
        self._bitrate = bitrate
        self._keyframe_interval = keyframe_interval
        self._traits = self._traits_of(Encoder.name, width, height, fps, flexible=False)
        self._thread: SourceThread[AccessUnit] | None = None

    @property
    def traits(self) -> VideoTraits:
        """What it is and can do; true from the first picture on."""
        return self._traits

    async def open(self, sink: VideoSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`, but most errors are only found when this has returned."""
        self._thread = self._file.play("file-video", self._run, sink.picture, sink.failed)

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await self._file.end(thread)

    def _run(self, thread: SourceThread[AccessUnit]) -> None:
        with self._file.playing(self._clock) as found:
            if found.video is None:
                raise SourceError(StreamReason.FILE, f"{self._file.path}: has no picture")
            pipeline = self._prepare(found.video)
            with closing(self._file.runs("video", found, self._clock.monotonic())) as runs:
                for run in runs:
                    if not self._play(thread, run, pipeline):
                        return

    def _prepare(self, track: VideoTrack) -> _Pipeline:
        if track.obstacle is None:
            self._encoder = None
            self._traits = self._traits_of(_PASSING, track.width, track.height, track.fps, flexible=False)
            log.info("%s: its H.264 passes through without encoding", self._file.path)
            return _Passthrough()
        width, height = fitted_size(track.width, track.height, *self._box)
        self._encoder = Encoder(
            width=width,
            height=height,
            fps=track.fps,
            bitrate=self._bitrate,
            keyframe_interval=self._keyframe_interval,
        )
        self._traits = self._traits_of(Encoder.name, width, height, track.fps, flexible=True)
        log.info("%s: encoded anew as %dx%d, because %s", self._file.path, width, height, track.obstacle)
        return _Transcoder(self._encoder, self._traits)

    @staticmethod
    def _traits_of(encoder: str, width: int, height: int, fps: float, *, flexible: bool) -> VideoTraits:
        return VideoTraits("file", encoder, width, height, fps, flexible, flexible, StreamReason.FILE)

    def _play(self, thread: SourceThread[AccessUnit], run: Run, pipeline: _Pipeline) -> bool:
        """Deliver the pictures of one run, each when it is due; False when it is time to return."""
        for picture, position in pipeline.pictures(run):
            before = position < run.begin
            now = self._clock.monotonic()
            late = 0.0 if before else self._file.lateness(position, now)
            if not thread.pause(-late):
                return False
            if not before and not pipeline.leaves_out(late, now):
                for unit in pipeline.units(picture, self._file.due(position)):
                    thread.deliver(unit)
        return True


class _Pipeline(Protocol):
    """How pictures get from the file to the browser."""

    def pictures(self, run: Run) -> Iterator[tuple[Any, float]]:
        """The pictures of a run, with their positions."""

    def leaves_out(self, late: float, now: float) -> bool:
        """Whether a picture that is so many seconds late shall not be sent."""

    def units(self, picture: Any, captured: float) -> Iterator[AccessUnit]:
        """What becomes of a picture: one access unit, or none."""


class _Passthrough:
    """As they are, from the first keyframe on; none may be left out, the next ones refer to it."""

    def __init__(self) -> None:
        self._started = False

    def pictures(self, run: Run) -> Iterator[tuple[bytes, float]]:
        annexb = BitStreamFilterContext("h264_mp4toannexb", run.stream)
        for packet, position in run.packets():
            for unit in annexb.filter(packet):
                yield bytes(unit), position

    def leaves_out(self, late: float, now: float) -> bool:
        return False

    def units(self, picture: bytes, captured: float) -> Iterator[AccessUnit]:
        keyframe = is_keyframe(picture)
        self._started = self._started or keyframe
        if self._started:
            yield AccessUnit(picture, captured, keyframe)


class _Transcoder:
    """Decoded, made to fit and encoded anew; whatever comes later than the next picture is due is left out."""

    def __init__(self, encoder: Encoder, traits: VideoTraits) -> None:
        self._encoder = encoder
        self._fit = Scaler(traits.width, traits.height)
        self._patience = 1 / traits.fps
        self._skips = SkipCount()

    def pictures(self, run: Run) -> Iterator[tuple[VideoFrame, float]]:
        for frame, position in run.frames():
            if isinstance(frame, VideoFrame):
                yield frame, position

    def leaves_out(self, late: float, now: float) -> bool:
        late_one = late > self._patience
        if count := self._skips.add(int(late_one), now):
            log.warning("no time to encode the file, pictures left out: %d", count)
        return late_one

    def units(self, picture: VideoFrame, captured: float) -> Iterator[AccessUnit]:
        with libav_errors(StreamReason.ENCODER, "scaling"):
            fitting = self._fit.fit(picture)
        yield self._encoder.encode(fitting, captured)
