"""What a media file holds, how long one loop of it is, and whether it can be sent without encoding."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from broadcaster.devices.file.opening import demuxed, open_media
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES
from broadcaster.devices.orientation import display_matrix, upright_filters
from broadcaster.devices.scaler import shown_size
from broadcaster.errors import SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.media.opus import packet_samples
from broadcaster.stream.rendition import LARGEST, LONGEST

SCAN_LIMIT = 128 * 1024 * 1024
"""Bytes read to learn about a file: 3 s on a slow SD card. What lies behind is taken to be alike."""
_ROUNDING = 0.001
"""Seconds by which times of some containers are off."""
_DEFAULT_FPS = 25.0
"""Libav's guess for pictures that come without a rate."""


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A file's picture: `width` and `height` as shown; `obstacle` says why it must be encoded anew, None if not."""

    codec: str
    width: int
    height: int
    fps: float
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """A file's sound; it `passes` if it is Opus in frames of 20 ms."""

    codec: str
    passes: bool


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds. One loop begins at `start` in the file's own seconds and lasts `length` seconds.

    Both are those of the picture, or of the sound where there is none.
    """

    start: float
    length: float
    video: VideoTrack | None
    audio: AudioTrack | None


def seconds(count: int | None, time_base: Fraction | None) -> float | None:
    """A count of libav's in seconds; None where the file does not say."""
    return None if count is None or time_base is None else float(count * time_base)


class Stamps:
    """Times of packets or frames in the file's seconds; counted on where the file has none (raw H.264)."""

    def __init__(self, step: float) -> None:
        """`step` is the length in seconds of an item that does not say its own."""
        self._step = step
        self.end = 0.0

    def of(self, item: Packet[Stream] | Frame) -> float:
        """The time of `item`; afterwards `end` is where it ends."""
        stamp = item.pts if item.pts is not None else item.dts
        time = seconds(stamp, item.time_base)
        time = self.end if time is None else time
        self.end = time + (seconds(item.duration, item.time_base) or self._step)
        return time


def video_of(container: InputContainer) -> VideoStream | None:
    """The stream that is the picture, if there is one that libav can decode; the cover of an album is none."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        return None
    if stream.disposition & Disposition.attached_pic:
        return None
    return stream


def audio_of(container: InputContainer) -> AudioStream | None:
    """The stream that is the sound, if there is one that libav can decode."""
    stream = container.streams.best("audio")
    return stream if isinstance(stream, AudioStream) and stream.codec_context is not None else None


def rate_of(video: VideoStream) -> float:
    """Pictures a second as the file says."""
    return float(video.average_rate or video.guessed_rate or _DEFAULT_FPS)


def read_media_info(path: str) -> MediaInfo:
    """Look into a file, blocking. Raises `SourceError` with reason `file`."""
    with open_media(path) as container:
        video = _VideoScan.of(container)
        audio = _AudioScan.of(container)
        scans: list[_Scan] = [scan for scan in (video, audio) if scan]
        if not scans:
            raise SourceError(StreamReason.FILE, f"{path}: has neither picture nor sound")
        complete = _scan(path, container, scans)
        leader = scans[0]
        if leader.start is None:
            raise SourceError(StreamReason.FILE, f"{path}: nothing in it can be read")
        length = leader.end - leader.start if complete else _declared_length(container, leader)
        return MediaInfo(
            leader.start,
            length,
            video.track(path, length, complete=complete) if video else None,
            audio.track() if audio else None,
        )


def _scan(path: str, container: InputContainer, scans: list[_Scan]) -> bool:
    """Read packets up to `SCAN_LIMIT`, or to the end where the file says no length; whether the end was reached."""
    by_index = {scan.stream.index: scan for scan in scans}
    size = 0
    for packet in demuxed(path, container, [scan.stream for scan in scans]):
        if packet.size:
            by_index[packet.stream.index].add(packet)
        size += packet.size
        if size > SCAN_LIMIT and container.duration:
            return False
    return True


def _declared_length(container: InputContainer, leader: _Scan) -> float:
    return seconds(leader.stream.duration, leader.stream.time_base) or (container.duration or 0) / av.time_base


class _Scan:
    """What the packets of one stream tell."""

    def __init__(self, stream: Stream, step: float) -> None:
        self.stream = stream
        self.start: float | None = None
        self.end = 0.0
        self._stamps = Stamps(step)

    def add(self, packet: Packet[Stream]) -> None:
        """Look at one packet."""
        self.look(packet, self.time_of(packet))

    def time_of(self, packet: Packet[Stream]) -> float:
        """The time of the packet, which widens the stream."""
        time = self._stamps.of(packet)
        self.start = time if self.start is None else min(self.start, time)
        self.end = max(self.end, self._stamps.end)
        return time

    def look(self, packet: Packet[Stream], time: float) -> None:
        """Look at a packet of that time; what for is the business of each kind of stream."""
        raise NotImplementedError


class _VideoScan(_Scan):
    """Looks for whatever keeps a browser, or the cache of the last keyframe, from taking the pictures as they are.

    An IDR picture without SPS and PPS in front, which only a raw or transport stream can have, is no keyframe.
    """

    def __init__(self, stream: VideoStream) -> None:
        super().__init__(stream, 1 / rate_of(stream))
        self._video = stream
        self._picture: VideoFrame | None = None
        self._count = 0
        self._obstacle = _obstacle_of(stream)
        self._annexb = None if self._obstacle else BitStreamFilterContext("h264_mp4toannexb", stream)
        self._latest = float("-inf")
        self._keyframe: float | None = None
        self._size = 0

    @classmethod
    def of(cls, container: InputContainer) -> _VideoScan | None:
        """A scan of the file's picture, if it has one."""
        stream = video_of(container)
        return cls(stream) if stream else None

    def look(self, packet: Packet[Stream], time: float) -> None:
        """Decode until there is a picture, and check the order, the keyframes, and what lies between them."""
        self._count += 1
        if self._picture is None:
            self._picture = _first_picture(self._video, packet)
        if self._annexb:
            for unit in self._annexb.filter(packet):
                self._check(bytes(unit), time)

    def _check(self, unit: bytes, time: float) -> None:
        if is_keyframe(unit):
            self._keyframe, self._size = time, 0
        self._size += len(unit)
        if self._keyframe is None:
            self._obstacle = self._obstacle or "it does not begin with a keyframe"
        elif time - self._keyframe > LONGEST + _ROUNDING or self._size > LARGEST:
            self._obstacle = self._obstacle or f"keyframes are more than {LONGEST:g} s or {LARGEST >> 20} MiB apart"
        if time <= self._latest:
            self._obstacle = self._obstacle or "its pictures are not in the order of their times"
        self._latest = time

    def track(self, path: str, length: float, *, complete: bool) -> VideoTrack:
        """What was found. Raises `SourceError` if not a single picture can be decoded."""
        if self._picture is None:
            raise SourceError(
                StreamReason.FILE, f"{path}: its picture ({self._video.codec_context.name}) is unreadable"
            )
        aspect = self._video.sample_aspect_ratio or Fraction(1)
        width, height = shown_size(self._picture, aspect)
        if upright_filters(display_matrix(self._picture)) or width != self._picture.width:
            self._obstacle = self._obstacle or "players must turn, mirror or stretch it"
        fps = self._count / length if complete and length > 0 else rate_of(self._video)
        return VideoTrack(self._video.codec_context.name, width, height, fps, self._obstacle)


class _AudioScan(_Scan):
    """Looks whether all is Opus in frames of 20 ms."""

    def __init__(self, stream: AudioStream) -> None:
        super().__init__(stream, FRAME)
        self._codec = stream.codec_context.name
        self._passes = self._codec in ("opus", "libopus") and stream.codec_context.channels <= 2

    @classmethod
    def of(cls, container: InputContainer) -> _AudioScan | None:
        """A scan of the file's sound, if it has any."""
        stream = audio_of(container)
        return cls(stream) if stream else None

    def look(self, packet: Packet[Stream], time: float) -> None:
        """Check the length of the packet."""
        self._passes = self._passes and packet_samples(bytes(packet)) == FRAME_SAMPLES

    def track(self) -> AudioTrack:
        """What was found."""
        return AudioTrack(self._codec, self._passes)


def _obstacle_of(stream: VideoStream) -> str | None:
    """What the headers say against passing the pictures through."""
    if stream.codec_context.name != "h264":
        return f"it is {stream.codec_context.name}"
    if stream.codec_context.profile != "Constrained Baseline":
        return f"its profile is {stream.codec_context.profile}"
    if stream.pix_fmt != "yuv420p":
        return f"its pixels are {stream.pix_fmt}"
    return None


def _first_picture(stream: VideoStream, packet: Packet[Stream] | None) -> VideoFrame | None:
    with contextlib.suppress(av.error.InvalidDataError):
        return next((frame for frame in stream.codec_context.decode(packet)), None)
    return None
