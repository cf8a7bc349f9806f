"""One run through a file, for its picture or its sound."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import av
from av.frame import Frame
from av.stream import Stream

from broadcaster.devices.file.demuxer import AnyPacket, Demuxer, decoded
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.timeline import Kind
from broadcaster.devices.file.timestamps import FrameStamps, Stamps
from broadcaster.errors import SourceAbsent, SourceError, StreamReason

SEEK_FROM = 1.0
"""Seconds into a loop from which it is quicker to seek than to read."""
_STARVED = 0.5
"""Share of the time between two pictures above which reading, not decoding, is what takes too long."""


class Run:
    """Packets or frames of one of a file's streams, with their positions on the timeline.

    A run may be opened and `prepare`d before it is known where on the timeline it will lie (`place`).
    What libav cannot read ends it with `SourceError`; what it cannot decode is left out, as every player does.
    """

    def __init__(self, path: str, kind: Kind, info: MediaInfo, *, sounding: bool) -> None:
        self._demuxer = Demuxer(path)
        stream = self._demuxer.video if kind == "video" else self._demuxer.audio
        if stream is None:
            self.close()
            if kind == "audio":
                raise SourceAbsent(StreamReason.FILE, f"{path} has no sound")
            raise SourceError(StreamReason.FILE, f"{path}: has no picture")
        self.stream: Stream = stream
        self.kind = kind
        self.info = info
        self.loop = 0
        self.offset = self.begin = self.end = 0.0
        self.fruitful = False
        self._start = info.start(sounding=sounding)
        self._step = self._demuxer.step(stream)
        self._shift = 0.0
        self._stamps = Stamps(self._step)
        self._packets = self._own(self._demuxer.packets())
        self._ahead: deque[AnyPacket] = deque()
        self._batches = self._decoding()
        self._ready: list[Frame] = []
        self._catch_up: float | None = None
        if kind == "video":
            codec: Any = stream.codec_context
            codec.thread_type = "AUTO"  # several pictures at once; the delay that this means does not matter here

    def place(self, loop: int, offset: float, begin: float, *, seek: bool) -> None:
        """Lie in that loop, which begins at position `offset`, and be played from position `begin` on.

        `seek`: whether the file's times say where its packets are.
        """
        self.loop, self.offset, self.begin, self.end = loop, offset, begin, begin
        self._shift = offset - self._start
        if seek and begin - offset > SEEK_FROM and self._demuxer.length:
            with contextlib.suppress(av.FFmpegError):  # what cannot be sought is read from its start
                self._seek(offset, begin)

    @property
    def jumped(self) -> bool:
        """Whether the file's clock has jumped, so that its times say nothing about places in the file."""
        return self._demuxer.jumped

    @property
    def is_starved(self) -> bool:
        """Whether reading takes most of the time: the storage is slow, not the decoder."""
        return self._demuxer.read_time > _STARVED * self._step

    def storage_error(self) -> SourceError | None:
        """Why the file cannot be read any more, if that is so."""
        return self._demuxer.storage_error()

    def prepare(self) -> bool:
        """Read and decode one packet; whether the first frame is there, or the end of the file."""
        if not self._ready:
            batch = next(self._batches, None)
            if batch is None:
                return True
            self._ready = batch
        return bool(self._ready)

    def packets(self) -> Iterator[tuple[AnyPacket, float]]:
        """The stream's packets in the order of the file, with their positions."""
        for packet in self._packets:
            position = self._stamps.of(packet) + self._shift
            self._came(position)
            yield packet, position

    def frames(self) -> Iterator[tuple[Frame, float]]:
        """The decoded frames that are to be shown or heard, in the order of their times, with their positions."""
        self._stamps = FrameStamps(self._step)
        while True:
            batch: list[Frame] | None = self._ready or next(self._batches, None)
            self._ready = []
            if batch is None:
                return
            for frame in batch:
                position = self._stamps.of(frame) + self._shift
                self._came(position)
                yield frame, position

    def leave_out(self, *, unreferenced: bool) -> None:
        """Whether to leave out pictures that no other one needs, which saves the decoder their work."""
        self.stream.codec_context.skip_frame = "NONREF" if unreferenced else "DEFAULT"

    def catch_up(self, position: float) -> None:
        """Skip to the last keyframe up to `position`, if there is one ahead."""
        self._catch_up = position - self._shift

    def close(self) -> None:
        """Close the file; idempotent."""
        self._demuxer.close()

    def _seek(self, offset: float, begin: float) -> None:
        """Go to where decoding gives a picture that is shown at `begin` or before it.

        A transport stream is sought by time alone, so that the next keyframe may lie behind.
        """
        for back in (0.0, 2.0, 5.0, 12.0, 30.0, float("inf")):
            self._demuxer.seek(max(offset, begin - back) - self._shift)
            self._packets = self._own(self._demuxer.packets())
            self._batches, self._ready = self._decoding(), []
            while not self.prepare():
                pass
            stamps = FrameStamps(self._step)
            if (self._ready and stamps.of(self._ready[0]) + self._shift <= begin) or begin - back <= offset:
                return

    def _came(self, position: float) -> None:
        """Count an item. In MP4 the last picture may carry the duration of another, so the file's own end counts."""
        self.fruitful = True
        end = self._stamps.end + self._shift
        said = self._demuxer.end(self.stream) + self._shift
        if position < said < end and not self.jumped:
            end = said
        self.end = max(self.end, end)

    def _own(self, packets: Iterator[AnyPacket]) -> Iterator[AnyPacket]:
        return (packet for packet in packets if packet.stream is self.stream)

    def _decoding(self) -> Iterator[list[Frame]]:
        while packet := self._next_packet():
            yield decoded(self.stream, packet)
        yield decoded(self.stream, None)

    def _next_packet(self) -> AnyPacket | None:
        if self._catch_up is not None:
            target, self._catch_up = self._catch_up, None
            self._skip_to_keyframe(target)
        return self._ahead.popleft() if self._ahead else next(self._packets, None)

    def _skip_to_keyframe(self, target: float) -> None:
        """Read ahead up to `target` seconds, and forget what comes before the last keyframe."""
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
    """The time of a packet in seconds; without one it comes after all others, for it cannot be skipped to."""
    stamp = packet.pts if packet.pts is not None else packet.dts
    return float("inf") if stamp is None or packet.time_base is None else float(stamp * packet.time_base)
