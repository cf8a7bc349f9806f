"""The video source `file`: a media file's picture in a loop, as it is where a browser can take it."""

from __future__ import annotations

import logging
from contextlib import closing

from broadcaster.devices.encoder import Encoder, EncoderMixin
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo, VideoTrack
from broadcaster.devices.file.pipelines import Passthrough, Pipeline, Transcoder
from broadcaster.devices.file.player import Player
from broadcaster.devices.scaler import fitted_size
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock, VideoSink, VideoTraits

log = logging.getLogger(__name__)

_PASSING = "none (H.264 passes through)"


class FileVideo(EncoderMixin):
    """`ports.VideoSource` of a file.

    Constrained baseline H.264 with keyframes near enough passes through; then no keyframe can be forced
    and no rate set. All else is encoded, at the file's own rate and its own size up to that of the settings.
    If that is too slow, pictures are left out evenly. In a pause the last picture is repeated.
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
        self._bitrate = self._rate = bitrate
        self._keyframe_interval = keyframe_interval
        self._traits = self._traits_of(Encoder.name, width, height, fps, flexible=False)
        self._thread: SourceThread[AccessUnit] | None = None

    @property
    def traits(self) -> VideoTraits:
        """What it is and can do; true from the first picture on."""
        return self._traits

    async def open(self, sink: VideoSink) -> None:
        """Start delivering into `sink`. Raises `SourceError`, but most errors are only found when this has returned."""
        self._rate = self._bitrate
        self._thread = self._file.play("file-video", self._run, sink.picture, sink.failed)

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await self._file.end(thread)

    def set_bitrate(self, bits_per_second: int) -> None:
        """Change the encoder's rate while running; it outlives a change of the encoder."""
        self._rate = bits_per_second
        super().set_bitrate(bits_per_second)

    def _run(self, thread: SourceThread[AccessUnit]) -> None:
        info = self._file.read_media_info()
        pipeline = self._pipeline(info)
        run = self._file.open_run("video", info)
        with closing(run):
            # The first picture may lie deep; nothing plays before it is there.
            while pipeline.can_repeat and not run.prepare():
                pass
            with self._file.playing("video", self._clock, run):
                Player(self._clock, self._file, thread, self._pipeline).play(run, pipeline)

    def _pipeline(self, info: MediaInfo) -> Pipeline:
        """How the pictures of such a file get to the browsers; what the source can do changes with it."""
        track = _require_picture(self._file.path, info)
        if track.obstacle is None:
            self._encoder = None
            self._traits = self._traits_of(_PASSING, track.width, track.height, track.fps, flexible=False)
            log.info("%s: its H.264 passes through without encoding", self._file.path)
            return Passthrough(track.fps)
        width, height = fitted_size(track.width, track.height, *self._box)
        encoder = self._encoder = Encoder(
            width=width,
            height=height,
            fps=track.fps,
            bitrate=self._rate,
            keyframe_interval=self._keyframe_interval,
        )
        self._traits = self._traits_of(Encoder.name, width, height, track.fps, flexible=True)
        log.info("%s: encoded as %dx%d, because %s", self._file.path, width, height, track.obstacle)
        return Transcoder(encoder, width, height, track.fps)

    @staticmethod
    def _traits_of(encoder: str, width: int, height: int, fps: float, *, flexible: bool) -> VideoTraits:
        return VideoTraits("file", encoder, width, height, fps, flexible, flexible, StreamReason.FILE)


def _require_picture(path: str, info: MediaInfo) -> VideoTrack:
    if info.video is None:
        raise SourceError(StreamReason.FILE, f"{path}: has no picture")
    return info.video
