"""Reading of one track, video or audio, of a file during one loop."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.frame import Frame
from av.stream import Stream

from broadcaster.devices.file.demuxer import AnyPacket, Demuxer, decode
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.timeline import TrackKind
from broadcaster.devices.file.timestamps import TimestampReader
from broadcaster.errors import SourceAbsent, SourceError, StreamReason

SEEK_FROM = 1.0
"""Seconds into a loop from which seeking is faster than reading."""
_SLOW_READING = 0.5
"""Fraction of the frame interval above which reading, not decoding, is the bottleneck."""
_SEEK_BACK = (0.0, 2.0, 5.0, 12.0, 30.0, float("inf"))
"""Seconds before the target at which to try, one after the other, to find a keyframe."""


class TrackReader:
    """Packets or frames of one of a file's streams, with their positions on the timeline.

    A reader may be opened and `preroll`ed before its position on the timeline is known (`set_position`).
    What libav cannot read raises `SourceError`; what it cannot decode is skipped, as all players do.
    """

    def __init__(self, path: str, kind: TrackKind, info: MediaInfo, *, with_audio: bool) -> None:
        self._demuxer = Demuxer(path)
        stream = self._demuxer.video if kind == "video" else self._demuxer.audio
        if stream is None:
            self.close()
            if kind == "audio":
                raise SourceAbsent(StreamReason.FILE, f"{path} has no audio")
            raise SourceError(StreamReason.FILE, f"{path}: has no video")
        self.stream: Stream = stream
        self.kind = kind
        self.info = info
        self.loop = 0
        self.offset = self.begin = self.end = 0.0
        self.has_output = False
        self._start = info.start(with_audio=with_audio)
        self._default_duration = self._demuxer.default_duration(stream)
        self._shift = 0.0
        self._times = TimestampReader(self._default_duration)
        self._packets = self._own_packets()
        self._ahead: deque[AnyPacket] = deque()
        self._batches = self._decode_batches()
        self._ready: list[Frame] = []
        self._skip_target: float | None = None
        if kind == "video":
            codec: Any = stream.codec_context
            codec.thread_type = "AUTO"  # several pictures at once; the delay of frame threads does not matter here

    def set_position(self, loop: int, offset: float, begin: float, *, seek: bool) -> None:
        """Read for that loop, which begins at position `offset`, and play from position `begin` on.

        `seek`: whether the file's timestamps are usable for seeking.
        """
        self.loop, self.offset, self.begin, self.end = loop, offset, begin, begin
        self._shift = offset - self._start
        if seek and begin - offset > SEEK_FROM and self._demuxer.duration:
            with contextlib.suppress(av.FFmpegError):  # a file that is not seekable is read from its start
                self._seek(offset, begin)

    @property
    def jumped(self) -> bool:
        """Whether the file's clock has jumped, so that its timestamps are useless for seeking."""
        return self._demuxer.jumped

    @property
    def is_storage_slow(self) -> bool:
        """Whether reading takes most of the time, not decoding."""
        return self._demuxer.read_time > _SLOW_READING * self._default_duration

    @property
    def read_time(self) -> float:
        """Average seconds to read a packet, over the last ones."""
        return self._demuxer.read_time

    def expect_read_time(self, seconds: float) -> None:
        """Assume that reading a packet takes as long as in the previous loop, until measured.

        The first packets were read when the file was opened, so slow storage would be taken for slow decoding.
        """
        self._demuxer.read_time = max(self._demuxer.read_time, seconds)

    def storage_error(self) -> SourceError | None:
        """Return why the file cannot be read any more; None if it can."""
        return self._demuxer.storage_error()

    def preroll(self) -> bool:
        """Read and decode one packet; return whether the first frame is ready, or the end of the file is reached."""
        if not self._ready:
            batch = next(self._batches, None)
            if batch is None:
                return True
            self._ready = batch
        return bool(self._ready)

    def packets(self) -> Iterator[tuple[AnyPacket, float]]:
        """Yield the stream's packets in file order, with their positions."""
        for packet in self._packets:
            position = self._times.read(packet) + self._shift
            self._update_end(position)
            yield packet, position

    def frames(self) -> Iterator[tuple[Frame, float]]:
        """Yield the decoded frames in presentation order, with their positions."""
        while True:
            batch: list[Frame] | None = self._ready or next(self._batches, None)
            self._ready = []
            if batch is None:
                return
            for frame in batch:
                position = self._times.read(frame) + self._shift
                self._update_end(position)
                yield frame, position

    def skip_non_reference(self, skip: bool) -> None:
        """Set whether the decoder skips pictures that no other picture refers to."""
        self.stream.codec_context.skip_frame = "NONREF" if skip else "DEFAULT"

    def skip_to(self, position: float) -> None:
        """Skip to the last keyframe up to `position`, if there is one ahead."""
        self._skip_target = position - self._shift

    def close(self) -> None:
        """Close the file; idempotent."""
        self._demuxer.close()

    def _seek(self, offset: float, begin: float) -> None:
        """Seek to where the first decoded picture is shown at `begin` or earlier.

        A transport stream is sought by time alone, so that the next keyframe may be after the target.
        """
        for back in _SEEK_BACK:
            self._demuxer.seek(max(offset, begin - back) - self._shift)
            self._packets = self._own_packets()
            self._batches, self._ready = self._decode_batches(), []
            while not self.preroll():
                pass
            times = TimestampReader(self._default_duration)
            if (self._ready and times.read(self._ready[0]) + self._shift <= begin) or begin - back <= offset:
                return

    def _update_end(self, position: float) -> None:
        """Move `end` to the end of the last item, or to the end of the stream according to the file.

        The latter, because in MP4 the last picture may have a wrong duration.
        """
        self.has_output = True
        end = self._times.end + self._shift
        stream_end = self._demuxer.stream_end(self.stream) + self._shift
        if position < stream_end < end and not self.jumped:
            end = stream_end
        self.end = max(self.end, end)

    def _own_packets(self) -> Iterator[AnyPacket]:
        return (packet for packet in self._demuxer.packets() if packet.stream is self.stream)

    def _decode_batches(self) -> Iterator[list[Frame]]:
        while packet := self._next_packet():
            yield decode(self.stream, packet)
        yield decode(self.stream, None)

    def _next_packet(self) -> AnyPacket | None:
        if self._skip_target is not None:
            target, self._skip_target = self._skip_target, None
            self._skip_to_keyframe(target)
        return self._ahead.popleft() if self._ahead else next(self._packets, None)

    def _skip_to_keyframe(self, target: float) -> None:
        """Read ahead up to `target` seconds, and drop what precedes the last keyframe."""
        while not self._ahead or _time(self._ahead[-1]) <= target:
            packet = next(self._packets, None)
            if packet is None:
                break
            self._ahead.append(packet)
        keyframes = [
            index
            for index, packet in enumerate(self._ahead)
            if packet.is_keyframe and not packet.is_discard and _time(packet) <= target
        ]
        if keyframes and keyframes[-1] > 0:
            for _ in range(keyframes[-1]):
                self._ahead.popleft()
            self.stream.codec_context.flush_buffers()


def _time(packet: AnyPacket) -> float:
    """Return the time of a packet in seconds; infinite without a timestamp, because such a packet is no target."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return float("inf") if stamp is None or packet.time_base is None else float(stamp * packet.time_base)
