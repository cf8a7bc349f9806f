"""A media file opened: the packets of its picture and its sound, with times that go on where the file's clock jumps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.frame import Frame
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from broadcaster.devices.file.opening import demuxed, explained, open_media, storage_error, version_of
from broadcaster.devices.file.timestamps import ClockCorrection, seconds
from broadcaster.devices.opus import FRAME
from broadcaster.errors import SourceError

_DEFAULT_FPS = 25.0
"""Libav's guess for pictures that come without a rate."""
_HIGHEST_FPS = 1000.0
"""Rates above it are those of a clock, not of pictures."""
_WINDOW = 10
"""Packets over which the time that reading takes is averaged."""

AnyPacket: TypeAlias = "Packet[Stream]"


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
    rate = float(video.average_rate or video.guessed_rate or 0)
    return rate if 0 < rate <= _HIGHEST_FPS else _DEFAULT_FPS


def decoded(stream: Stream, packet: AnyPacket | None) -> list[Frame]:
    """The frames that come out of the decoder for a packet, or at the end (None); a damaged packet is skipped."""
    codec: Any = stream.codec_context
    try:
        frames: list[Frame] = codec.decode(packet)
    except av.FFmpegError:
        return []
    for frame in frames:
        if frame.time_base is None:  # PyAV takes it from the packet
            frame.time_base = stream.time_base
    return frames


class Demuxer:
    """An open file. Raises `SourceError` with reason `file` for whatever libav cannot do."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._version = version_of(path)
        self._open = ExitStack()
        self.container = self._open.enter_context(open_media(path, self._version))
        self.video = video_of(self.container)
        self.audio = audio_of(self.container)
        self._may_jump = Flags.ts_discont in Flags(self.container.format.flags)
        self._clock = ClockCorrection(may_jump=self._may_jump)
        self.read_time = 0.0
        """Seconds that reading a packet takes, on average of the last ones."""

    @property
    def jumped(self) -> bool:
        """Whether the file's clock has jumped so far."""
        return self._clock.jumped

    @property
    def length(self) -> float:
        """Seconds that the file says it lasts; 0 if it does not say."""
        return max(0.0, (self.container.duration or 0) / av.time_base)

    def end(self, stream: Stream) -> float:
        """Where the file says that the stream ends, in the file's own seconds; 0 if it does not say."""
        start, length = seconds(stream.start_time, stream.time_base), seconds(stream.duration, stream.time_base)
        if start is not None and length:
            return start + length
        return (self.container.start_time or 0) / av.time_base + self.length if self.length else 0.0

    def step(self, stream: Stream) -> float:
        """Seconds that a packet of the stream lasts where it does not say."""
        return 1 / rate_of(stream) if isinstance(stream, VideoStream) else FRAME

    def packets(self) -> Iterator[AnyPacket]:
        """The packets of picture and sound in the order of the file; none is empty."""
        streams = [stream for stream in (self.video, self.audio) if stream]
        packets = demuxed(self._path, self.container, streams)
        while True:
            started = time.perf_counter()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                raise explained(self._path, self._version, error) from error
            self.read_time += (time.perf_counter() - started - self.read_time) / _WINDOW
            if packet is None:
                return
            # An empty one would end the decoder; the file may hold some, and PyAV's last ones are.
            if packet.size:
                self._correct(packet)
                yield packet

    def storage_error(self) -> SourceError | None:
        """Why the file cannot be read any more, if that is so."""
        return storage_error(self._path, self._version)

    def seek(self, target: float) -> None:
        """Go on from the last keyframe before `target` seconds; raises libav's errors where that is not possible."""
        self.container.seek(round(target * av.time_base))
        self._clock = ClockCorrection(may_jump=self._may_jump)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._open.close()

    def _correct(self, packet: AnyPacket) -> None:
        if packet.is_discard or not packet.time_base:
            return
        duration = seconds(packet.duration, packet.time_base) or self.step(packet.stream)
        shift = self._clock.shift(packet.stream.index, seconds(packet.dts, packet.time_base), duration)
        if shift:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
