"""The video source `file`: the video of a media file in a loop, without re-encoding if browsers can decode it."""

from __future__ import annotations

import logging
from contextlib import closing

from broadcaster.devices.encoder import Encoder
from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo, VideoTrack
from broadcaster.devices.file.pipelines import Passthrough, Pipeline, Transcoder
from broadcaster.devices.file.video_player import VideoPlayer
from broadcaster.devices.scaler import fitted_size
from broadcaster.devices.small import NO_SMALL_VIDEO, RenditionsMixin, SmallEncoder, SmallVideo
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import Clock, VideoSink, VideoTraits

log = logging.getLogger(__name__)

_PASSTHROUGH = "none (H.264 passes through)"
"""Display name of the encoder during passthrough."""


class FileVideo(RenditionsMixin):
    """`ports.VideoSource` of a file.

    Constrained baseline H.264 with a short keyframe interval passes through; then keyframes cannot be forced and the
    bit rate cannot be set. Everything else is encoded, at the file's frame rate and size, scaled down to the configured
    size. If that is too slow, pictures are skipped evenly. During a pause the last picture is repeated.
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
        small: SmallVideo = NO_SMALL_VIDEO,
    ) -> None:
        """Units: pixels (maximum size), frames per second (until the file is read), bits per second, seconds."""
        self._clock = clock
        self._file = file
        self._box = width, height
        self._initial_bitrate = self._bitrate = bitrate
        self._keyframe_interval = keyframe_interval
        self._small_video = small
        self._small_sink: VideoSink | None = None
        self._traits = self._make_traits(Encoder.name, width, height, fps, encodes=False)
        self._thread: SourceThread[AccessUnit] | None = None

    @property
    def traits(self) -> VideoTraits:
        """Properties of the source; valid from the first picture on."""
        return self._traits

    async def open(self, sink: VideoSink, small: VideoSink | None = None) -> None:
        """Start delivering into both sinks. Raises `SourceError`, but most errors are reported to `sink` later."""
        self._bitrate = self._initial_bitrate
        self._small_sink, self._small = small, None
        self._thread = self._file.start_thread("file-video", self._run, sink.picture, sink.failed)

    async def close(self) -> None:
        """Stop delivering; idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            await self._file.close_thread(thread)

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        """Change an encoder's bit rate while running; a new encoder after a change of the file uses it, too."""
        if quality is Quality.FULL:
            self._bitrate = bits_per_second
        super().set_bitrate(bits_per_second, quality)

    def _run(self, thread: SourceThread[AccessUnit]) -> None:
        info = self._file.read_media_info()
        pipeline = self._create_pipeline(info)
        reader = self._file.open_reader("video", info)
        with closing(reader):
            # Decoding the first picture may take long; playback begins only when it is ready.
            while pipeline.can_repeat and not reader.preroll():
                pass
            with self._file.playing("video", self._clock, reader):
                VideoPlayer(self._clock, self._file, thread, self._create_pipeline).play(reader, pipeline)

    def _create_pipeline(self, info: MediaInfo) -> Pipeline:
        """Return the pipeline for such a file, and update the traits."""
        track = _require_video(self._file.path, info)
        if track.obstacle is None:
            self._encoder = None
            self._traits = self._make_traits(_PASSTHROUGH, track.width, track.height, track.fps, encodes=False)
            log.info("%s: its H.264 passes through without encoding", self._file.path)
            return Passthrough(track.fps, self._new_small(track.width, track.height))
        width, height = fitted_size(track.width, track.height, *self._box)
        encoder = self._encoder = Encoder(
            width=width,
            height=height,
            fps=track.fps,
            bitrate=self._bitrate,
            keyframe_interval=self._keyframe_interval,
        )
        self._traits = self._make_traits(Encoder.name, width, height, track.fps, encodes=True)
        log.info("%s: encoded as %dx%d, because %s", self._file.path, width, height, track.obstacle)
        return Transcoder(encoder, width, height, track.fps, self._new_small(width, height))

    def _new_small(self, width: int, height: int) -> SmallEncoder | None:
        """Return the encoder of the small rendition of a `width` x `height` video, in the state of the last one."""
        small = self._small_video.encoder(self._small_sink, width, height, self._keyframe_interval)
        if small is not None:
            small.take_over(self._small)
        self._small = small
        return small

    def _make_traits(self, encoder: str, width: int, height: int, fps: float, *, encodes: bool) -> VideoTraits:
        small = self._small_video
        return VideoTraits(
            "file",
            encoder,
            width,
            height,
            fps,
            encodes,
            encodes,
            StreamReason.FILE,
            small.size(width, height),
            small.obstacle(width, height),
        )


def _require_video(path: str, info: MediaInfo) -> VideoTrack:
    if info.video is None:
        raise SourceError(StreamReason.FILE, f"{path}: has no video")
    return info.video
