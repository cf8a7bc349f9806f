"""What a media file holds, and whether it can be sent without encoding: a bounded look at its beginning."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from broadcaster.devices.file.demuxer import AnyPacket, Demuxer, decoded, rate_of
from broadcaster.devices.file.passing import AnnexB, Damaged, PassCheck, header_obstacle
from broadcaster.devices.file.timestamps import Stamps
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES
from broadcaster.devices.orientation import display_matrix, upright_filters
from broadcaster.devices.scaler import shown_size
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.opus import packet_samples

LOOK = 2.5
"""Seconds of the film that are looked at: more than keyframes may be apart that pass through."""
LOOK_LIMIT = 2.0
"""Seconds that the look may take once there is a picture; what it has not seen is checked while it plays."""
BYTES_LIMIT = 128 * 1024 * 1024
"""Bytes within which there must be a picture."""
EARLY = 0.1
"""Seconds by which the sound may begin before the picture without counting: encoders' delay."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A file's picture: `width` and `height` as shown; `obstacle` says why it must be encoded, None if not.

    The first picture that is shown lies at `start` in the file's own seconds.
    """

    codec: str
    width: int
    height: int
    fps: float
    obstacle: str | None
    start: float


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """A file's sound; it `passes` if it is Opus in frames of 20 ms. `start` is None if it begins late in the file."""

    codec: str
    passes: bool
    start: float | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds.

    `length` in seconds is what it says itself, 0 if it does not. Opening it and decoding its first picture took
    `preparation` seconds.
    """

    length: float
    preparation: float
    video: VideoTrack | None
    audio: AudioTrack | None

    def start(self, *, sounding: bool) -> float:
        """Where a loop begins in the file's own seconds: with the picture, or with sound that begins well before it.

        `sounding`: whether the sound is played too.
        """
        sound = self.audio.start if self.audio else None
        if self.video is None:
            return sound or 0.0
        if sounding and sound is not None and sound < self.video.start - EARLY:
            return sound
        return self.video.start


def read_media_info(path: str) -> MediaInfo:
    """Look into a file, blocking. Raises `SourceError` with reason `file`."""
    started = time.monotonic()
    with closing(Demuxer(path)) as demuxer:
        video = _VideoScan(demuxer.video) if demuxer.video else None
        audio = _AudioScan(demuxer.audio) if demuxer.audio else None
        if not video and not audio:
            raise SourceError(StreamReason.FILE, f"{path}: has neither picture nor sound that can be decoded")
        complete = _scan(demuxer, video, audio)
        video_track = video.track(path, sounding=audio is not None and audio.start is not None) if video else None
        audio_track = audio.track(complete=complete) if audio else None
        if not video_track and not audio_track:
            raise SourceError(StreamReason.FILE, f"{path}: nothing in it can be read")
        return MediaInfo(demuxer.length, time.monotonic() - started, video_track, audio_track)


def _scan(demuxer: Demuxer, video: _VideoScan | None, audio: _AudioScan | None) -> bool:
    """Read packets until enough is known; whether the end of the file was reached."""
    size = 0
    deadline: float | None = None
    for packet in demuxer.packets():
        if video and packet.stream is video.stream:
            video.add(packet)
        elif audio and packet.stream is audio.stream:
            audio.add(packet)
        size += packet.size
        if (video is None or video.picture) and deadline is None:
            deadline = time.monotonic() + LOOK_LIMIT
        enough = (video is None or video.done) and (audio is None or audio.done or bool(video and video.waited_enough))
        if enough or size > BYTES_LIMIT or (deadline is not None and time.monotonic() > deadline):
            return False
    if video:
        video.finish()
    return True


class _VideoScan:
    """Decodes the first picture, and checks whether the access units can pass."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.picture: VideoFrame | None = None
        self.start = 0.0
        self._seen = float("-inf")
        self._count = 0
        self._packets, self._frames = Stamps(1 / rate_of(stream)), Stamps(1 / rate_of(stream))
        self._obstacle = header_obstacle(stream)
        self._check = PassCheck()
        self._annexb: AnnexB | None = None
        if self._obstacle is None:
            try:
                self._annexb = AnnexB(stream)
            except Damaged as damage:
                self._obstacle = str(damage)

    @property
    def done(self) -> bool:
        """Whether nothing more needs to be known."""
        return self.picture is not None and (self._obstacle is not None or self._seen > self.start + LOOK)

    @property
    def waited_enough(self) -> bool:
        """Whether sound that has not begun by now is not waited for."""
        return self.picture is not None and self._seen > self.start + 2 * LOOK

    def add(self, packet: AnyPacket) -> None:
        """Look at one packet."""
        self._count += 1
        at = self._packets.of(packet)
        self._seen = max(self._seen, at)
        if self.picture is None:
            self._decode(packet)
        if self._annexb and self._obstacle is None:
            self._obstacle = self._obstacle_in(self._annexb, packet, at)

    def _obstacle_in(self, annexb: AnnexB, packet: AnyPacket, at: float) -> str | None:
        shown = not packet.is_discard  # the filter empties the packet
        try:
            units = annexb.units(packet)
        except Damaged as damage:
            return str(damage)
        obstacles = (self._check.obstacle(unit, at, shown=shown) for unit in units)
        return next((obstacle for obstacle in obstacles if obstacle), None)

    def finish(self) -> None:
        """The end of the file: the decoder may still hold the only picture."""
        if self.picture is None and self._count:
            self._decode(None)

    def _decode(self, packet: AnyPacket | None) -> None:
        for frame in decoded(self.stream, packet):
            if self.picture is None and isinstance(frame, VideoFrame):
                self.picture, self.start = frame, self._frames.of(frame)

    def track(self, path: str, *, sounding: bool) -> VideoTrack | None:
        """What was found, None if the track is empty. Raises `SourceError` if no picture can be decoded."""
        codec = self.stream.codec_context.name
        if self.picture is None:
            if not self._count and sounding:
                return None
            raise SourceError(StreamReason.FILE, f"{path}: its picture ({codec}) cannot be decoded")
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        width, height = shown_size(self.picture, aspect)
        if upright_filters(display_matrix(self.picture)) or width != self.picture.width:
            self._obstacle = self._obstacle or "players must turn, mirror or stretch it"
        return VideoTrack(codec, width, height, rate_of(self.stream), self._obstacle, self.start)


class _AudioScan:
    """Looks whether the sound is Opus in frames of 20 ms."""

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self.start: float | None = None
        self._seen = 0.0
        self._stamps = Stamps(FRAME)
        self._passes = stream.codec_context.name in ("opus", "libopus") and stream.codec_context.channels <= 2

    @property
    def done(self) -> bool:
        """Whether nothing more needs to be known."""
        return self.start is not None and (not self._passes or self._seen > self.start + LOOK)

    def add(self, packet: AnyPacket) -> None:
        """Check the length of the packet."""
        self._seen = self._stamps.of(packet)
        if self.start is None and not packet.is_discard:
            self.start = self._seen
        self._passes = self._passes and packet_samples(bytes(packet)) == FRAME_SAMPLES

    def track(self, *, complete: bool) -> AudioTrack | None:
        """What was found; None if the track is empty."""
        if self.start is None and complete:
            return None
        return AudioTrack(self.stream.codec_context.name, self._passes and self.start is not None, self.start)
