"""An open media file: the packets of its video and audio streams, with times continuous across clock jumps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.format import Flags
from av.frame import Frame
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from broadcaster.devices.file.opening import demux, explain_error, file_version, open_media, storage_error
from broadcaster.devices.file.timestamps import ClockCorrection, to_seconds
from broadcaster.devices.opus import FRAME
from broadcaster.errors import SourceError

_DEFAULT_FPS = 25.0
"""Libav's guess for video without a frame rate."""
_MAX_FPS = 1000.0
"""Higher rates are those of a clock, not of pictures."""
_CHANNELS = " FL FR FC LFE BL BR FLC FRC BC SL SR TC TFL TFC TFR TBL TBC TBR "
"""Libav's channels in its native order."""
_WINDOW = 10
"""Packets over which the read time is averaged."""

AnyPacket: TypeAlias = "Packet[Stream]"


def best_video(container: InputContainer) -> VideoStream | None:
    """Return the video stream, if there is one that libav can decode; the cover of an album does not count."""
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        return None
    if stream.disposition & Disposition.attached_pic:
        return None
    return stream


def best_audio(container: InputContainer) -> AudioStream | None:
    """Return the audio stream, if there is one that libav can decode."""
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        return None
    _use_native_layout(stream.codec_context)
    return stream


def _use_native_layout(codec: AudioCodecContext) -> None:
    """Replace a channel order that libav keeps as a list (in MOV): PyAV 18 would free the list with each frame."""
    layout = codec.layout
    places = [_CHANNELS.find(f" {channel.name} ") for channel in layout.channels]
    if -1 in places or places != sorted(set(places)):
        # `layout` now owns the list alone. The frames get the usual order for that number of channels.
        codec.layout = f"{layout.nb_channels}c"


def frame_rate(video: VideoStream) -> float:
    """Return the frames per second according to the file."""
    rate = float(video.average_rate or video.guessed_rate or 0)
    return rate if 0 < rate <= _MAX_FPS else _DEFAULT_FPS


def decode(stream: Stream, packet: AnyPacket | None) -> list[Frame]:
    """Return the frames that the decoder outputs for a packet, or at the end (None); skip damaged packets."""
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
    """An open file. Raises `SourceError` with reason `file` for everything that libav cannot do."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._version = file_version(path)
        self._exit_stack = ExitStack()
        self.container = self._exit_stack.enter_context(open_media(path, self._version))
        self.video = best_video(self.container)
        self.audio = best_audio(self.container)
        self._may_jump = Flags.ts_discont in Flags(self.container.format.flags)
        self._clock = ClockCorrection(may_jump=self._may_jump)
        self.read_time = 0.0
        """Average seconds to read a packet, over the last ones."""

    @property
    def jumped(self) -> bool:
        """Whether the file's clock has jumped so far."""
        return self._clock.jumped

    @property
    def duration(self) -> float:
        """The duration in seconds according to the file; 0 if unknown."""
        return max(0.0, (self.container.duration or 0) / av.time_base)

    def stream_end(self, stream: Stream) -> float:
        """Return where the stream ends according to the file, in the file's seconds; 0 if unknown."""
        start, duration = to_seconds(stream.start_time, stream.time_base), to_seconds(stream.duration, stream.time_base)
        if start is not None and duration:
            return start + duration
        return (self.container.start_time or 0) / av.time_base + self.duration if self.duration else 0.0

    def default_duration(self, stream: Stream) -> float:
        """Return the seconds that a packet without a duration lasts."""
        return 1 / frame_rate(stream) if isinstance(stream, VideoStream) else FRAME

    def packets(self) -> Iterator[AnyPacket]:
        """Yield the non-empty packets of video and audio in file order."""
        streams = [stream for stream in (self.video, self.audio) if stream]
        packets = demux(self._path, self.container, streams)
        while True:
            started = time.perf_counter()
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                raise explain_error(self._path, self._version, error) from error
            self.read_time += (time.perf_counter() - started - self.read_time) / _WINDOW
            if packet is None:
                return
            # An empty packet would flush the decoder. Files may contain some, and PyAV's last ones are empty.
            if packet.size:
                self._correct_times(packet)
                yield packet

    def storage_error(self) -> SourceError | None:
        """Return why the file cannot be read any more; None if it can."""
        return storage_error(self._path, self._version)

    def seek(self, target: float) -> None:
        """Continue at the last keyframe before `target` seconds. Raises libav's errors if that is not possible."""
        self.container.seek(round(target * av.time_base))
        self._clock = ClockCorrection(may_jump=self._may_jump)

    def close(self) -> None:
        """Close the file; idempotent."""
        self._exit_stack.close()

    def _correct_times(self, packet: AnyPacket) -> None:
        if packet.is_discard or not packet.time_base:
            return
        duration = to_seconds(packet.duration, packet.time_base) or self.default_duration(packet.stream)
        shift = self._clock.shift(packet.stream.index, to_seconds(packet.dts, packet.time_base), duration)
        if shift:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
