"""What a media file contains, and whether it can be sent without encoding, by reading a limited part of it."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from broadcaster.devices.file.demuxer import AnyPacket, Demuxer, decode, frame_rate
from broadcaster.devices.file.passthrough import AnnexBConverter, InvalidBitstream, PassthroughCheck, header_obstacle
from broadcaster.devices.file.timestamps import TimestampReader
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES
from broadcaster.devices.orientation import display_matrix, upright_filters
from broadcaster.devices.scaler import shown_size
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.opus import packet_samples

SCAN_DURATION = 2.5
"""Seconds of the file that are examined: more than the keyframe interval that may pass through."""
SCAN_TIMEOUT = 2.0
"""Seconds that the scan may take once there is a picture; the rest of the file is checked during playback."""
SCAN_BYTES = 128 * 1024 * 1024
"""Bytes within which there must be a picture."""
AUDIO_LEAD = 0.1
"""Seconds by which audio may begin before the video and still count as simultaneous: the delay of encoders."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The video of a file: `width` and `height` as shown; `obstacle` is why it must be encoded, None if it need not be.

    `start` is the time of the first picture shown, in the file's seconds.
    """

    codec: str
    width: int
    height: int
    fps: float
    obstacle: str | None
    start: float


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """The audio of a file; `passthrough` if it is Opus in 20 ms frames. `start` is None if it begins late."""

    codec: str
    passthrough: bool
    start: float | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file contains.

    `duration` in seconds is the file's own value, 0 if unknown. `preparation` is how many seconds it took to open the
    file and to decode its first picture.
    """

    duration: float
    preparation: float
    video: VideoTrack | None
    audio: AudioTrack | None

    def start(self, *, with_audio: bool) -> float:
        """Return where a loop begins in the file's seconds: with the video, or with audio that begins well before it.

        `with_audio`: whether the audio is played too.
        """
        audio_start = self.audio.start if self.audio else None
        if self.video is None:
            return audio_start or 0.0
        if with_audio and audio_start is not None and audio_start < self.video.start - AUDIO_LEAD:
            return audio_start
        return self.video.start


def read_media_info(path: str) -> MediaInfo:
    """Examine a file; blocking. Raises `SourceError` with reason `file`."""
    started = time.monotonic()
    with closing(Demuxer(path)) as demuxer:
        video = _VideoScan(demuxer.video) if demuxer.video else None
        audio = _AudioScan(demuxer.audio) if demuxer.audio else None
        if not video and not audio:
            raise SourceError(StreamReason.FILE, f"{path}: has neither video nor audio that can be decoded")
        complete = _scan(demuxer, video, audio)
        video_track = video.track(path, has_audio=audio is not None and audio.start is not None) if video else None
        audio_track = audio.track(complete=complete) if audio else None
        if not video_track and not audio_track:
            raise SourceError(StreamReason.FILE, f"{path}: its streams are empty")
        return MediaInfo(demuxer.duration, time.monotonic() - started, video_track, audio_track)


def _scan(demuxer: Demuxer, video: _VideoScan | None, audio: _AudioScan | None) -> bool:
    """Read packets until enough is known; return whether the end of the file was reached."""
    size = 0
    deadline: float | None = None
    for packet in demuxer.packets():
        if video and packet.stream is video.stream:
            video.add(packet)
        elif audio and packet.stream is audio.stream:
            audio.add(packet)
        size += packet.size
        if (video is None or video.picture) and deadline is None:
            deadline = time.monotonic() + SCAN_TIMEOUT
        audio_done = audio is None or audio.done or bool(video and video.past_audio_limit)
        enough = (video is None or video.done) and audio_done
        if enough or size > SCAN_BYTES or (deadline is not None and time.monotonic() > deadline):
            return False
    if video:
        video.finish()
    return True


class _VideoScan:
    """Decodes the first picture, and checks whether the access units can pass through."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.picture: VideoFrame | None = None
        self.start = 0.0
        self._last_time = float("-inf")
        self._count = 0
        self._packet_times = TimestampReader(1 / frame_rate(stream))
        self._frame_times = TimestampReader(1 / frame_rate(stream))
        self._obstacle = header_obstacle(stream)
        self._check = PassthroughCheck()
        self._converter: AnnexBConverter | None = None
        if self._obstacle is None:
            try:
                self._converter = AnnexBConverter(stream)
            except InvalidBitstream as error:
                self._obstacle = str(error)

    @property
    def done(self) -> bool:
        """Whether no more packets are needed."""
        return self.picture is not None and (self._obstacle is not None or self._last_time > self.start + SCAN_DURATION)

    @property
    def past_audio_limit(self) -> bool:
        """Whether the scan stops waiting for audio that has not begun yet."""
        return self.picture is not None and self._last_time > self.start + 2 * SCAN_DURATION

    def add(self, packet: AnyPacket) -> None:
        """Examine one packet."""
        self._count += 1
        time = self._packet_times.read(packet)
        self._last_time = max(self._last_time, time)
        if self.picture is None:
            self._decode(packet)
        if self._converter and self._obstacle is None:
            self._obstacle = self._find_obstacle(self._converter, packet, time)

    def _find_obstacle(self, converter: AnnexBConverter, packet: AnyPacket, time: float) -> str | None:
        shown = not packet.is_discard  # read before the converter empties the packet
        try:
            units = converter.convert(packet)
        except InvalidBitstream as error:
            return str(error)
        obstacles = (self._check.obstacle(unit, time, shown=shown) for unit in units)
        return next((obstacle for obstacle in obstacles if obstacle), None)

    def finish(self) -> None:
        """Flush the decoder at the end of the file: it may still hold the only picture."""
        if self.picture is None and self._count:
            self._decode(None)

    def _decode(self, packet: AnyPacket | None) -> None:
        for frame in decode(self.stream, packet):
            if self.picture is None and isinstance(frame, VideoFrame):
                self.picture, self.start = frame, self._frame_times.read(frame)

    def track(self, path: str, *, has_audio: bool) -> VideoTrack | None:
        """Return the result, None if the stream is empty. Raises `SourceError` if no picture can be decoded."""
        codec = self.stream.codec_context.name
        if self.picture is None:
            if not self._count and has_audio:
                return None
            raise SourceError(StreamReason.FILE, f"{path}: its video ({codec}) cannot be decoded")
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        width, height = shown_size(self.picture, aspect)
        if upright_filters(display_matrix(self.picture)) or width != self.picture.width:
            self._obstacle = self._obstacle or "it has to be rotated, mirrored or stretched"
        return VideoTrack(codec, width, height, frame_rate(self.stream), self._obstacle, self.start)


class _AudioScan:
    """Checks whether the audio is Opus in 20 ms frames."""

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self.start: float | None = None
        self._last_time = 0.0
        self._times = TimestampReader(FRAME)
        self._passthrough = stream.codec_context.name in ("opus", "libopus") and stream.codec_context.channels <= 2

    @property
    def done(self) -> bool:
        """Whether no more packets are needed."""
        return self.start is not None and (not self._passthrough or self._last_time > self.start + SCAN_DURATION)

    def add(self, packet: AnyPacket) -> None:
        """Check the duration of one packet."""
        self._last_time = self._times.read(packet)
        if self.start is None and not packet.is_discard:
            self.start = self._last_time
        self._passthrough = self._passthrough and packet_samples(bytes(packet)) == FRAME_SAMPLES

    def track(self, *, complete: bool) -> AudioTrack | None:
        """Return the result; None if the stream is empty. `complete`: whether the whole file was read."""
        if self.start is None and complete:
            return None
        passthrough = self._passthrough and self.start is not None
        return AudioTrack(self.stream.codec_context.name, passthrough, self.start)
