"""A file played in a loop: one timeline that its picture and its sound share, so that they stay in step."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Generator, Iterator
from typing import Any, Literal

import av
from av.container import InputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Stream

from broadcaster.devices.file.media_info import MediaInfo, Stamps, audio_of, rate_of, read_media_info, video_of
from broadcaster.devices.libav import libav_errors
from broadcaster.devices.opus import FRAME
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason

PATIENCE = 0.5
"""Seconds that a file may fall behind its pace before the timeline gives them up."""
LEAD = 0.1
"""Seconds between the first source's entering and the first picture, in which both open the file."""
SEEK_FROM = 1.0
"""Seconds into a loop from which it is quicker to seek than to read."""

Kind = Literal["video", "audio"]


class MediaFile:
    """The file and its timeline. Built once and handed to the video and the audio source.

    A *position* is in seconds since playing began, going on and on over all loops: position p is due at
    monotonic time `due(p)`. Playing begins when the first source enters and ends when the last has left.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._survey: tuple[tuple[int, int], MediaInfo] | None = None
        self._users = 0
        self._origin = 0.0

    def read_media_info(self) -> MediaInfo:
        """What the file holds; blocking, read again only if the file has changed. Raises `SourceError`."""
        with self._lock:
            try:
                status = os.stat(self.path)
            except OSError as error:
                raise SourceError(StreamReason.FILE, f"{self.path}: {error.strerror}") from error
            version = status.st_mtime_ns, status.st_size
            if self._survey is None or self._survey[0] != version:
                self._survey = version, read_media_info(self.path)
            return self._survey[1]

    def is_silent(self) -> bool:
        """Whether it can be read and has no sound; a quick look at its head, blocking."""
        try:
            with av.open(self.path) as container:
                return audio_of(container) is None
        except av.FFmpegError:
            return False

    def enter(self, now: float) -> None:
        """A source begins to play; the first one starts the timeline."""
        with self._lock:
            if self._users == 0:
                self._origin = now + LEAD
            self._users += 1

    async def end(self, thread: SourceThread[Any]) -> None:
        """Close the thread of a source that plays; then it has stopped playing, however the closing went."""
        try:
            await thread.close()
        finally:
            with self._lock:
                self._users -= 1

    def due(self, position: float) -> float:
        """The monotonic time that belongs to a position."""
        return self._origin + position

    def lateness(self, position: float, now: float) -> float:
        """Seconds by which `now` is behind what is due at `position`; negative while there is time.

        Whoever is hopelessly late (the machine slept, or cannot keep up) moves the timeline for picture
        and sound alike instead of hurrying through what was missed.
        """
        with self._lock:
            late = now - self.due(position)
            if late > PATIENCE:
                self._origin += late
                return 0.0
            return late

    def runs(self, kind: Kind, found: MediaInfo, now: float) -> Generator[Run, None, None]:
        """Run after run through the file, without end, the first from where the timeline is `now`.

        Raises `SourceError` when the file cannot be read any more. The consumer closes this iterator.
        """
        begin = max(0.0, now - self._origin)
        loop = int(begin / found.length)
        if begin - loop * found.length < PATIENCE:
            begin = loop * found.length  # not too late for the first picture, often the only keyframe for seconds
        while True:
            with libav_errors(StreamReason.FILE, self.path), av.open(self.path) as container:
                run = Run(container, kind, found, loop * found.length, begin)
                yield run
            if not run.fruitful:
                raise SourceError(StreamReason.FILE, f"{self.path}: nothing in its {kind} can be read")
            loop += 1
            begin = loop * found.length


class Run:
    """One run through a file, for one of its streams.

    It covers the positions from `begin`, which in the first run may lie inside the file, to `end`.
    """

    def __init__(self, container: InputContainer, kind: Kind, found: MediaInfo, offset: float, begin: float) -> None:
        video, audio = video_of(container), audio_of(container)
        stream = video if kind == "video" else audio
        if stream is None:
            raise SourceError(StreamReason.FILE, f"{container.name}: its {kind} is gone")
        self.stream: Stream = stream
        self.begin = begin
        self.end = offset + found.length
        self.fruitful = False
        self._container = container
        self._shift = offset - found.start
        self._step = 1 / rate_of(video) if kind == "video" and video else FRAME
        if begin - offset > SEEK_FROM and container.duration:
            with contextlib.suppress(av.FFmpegError):  # what cannot be sought is read from its start
                container.seek(round((begin - self._shift) * av.time_base))

    def position(self, time: float) -> float:
        """The position of a time in the file's own seconds."""
        return time + self._shift

    def packets(self) -> Iterator[tuple[Packet[Stream], float]]:
        """The stream's packets in the order of the file, with their positions; all before `end`."""
        stamps = Stamps(self._step)
        for packet in self._container.demux([self.stream]):
            if packet.size:
                position = self.position(stamps.of(packet))
                if position < self.end:
                    self.fruitful = True
                    yield packet, position

    def frames(self) -> Iterator[tuple[Frame, float]]:
        """The stream's decoded frames in the order of their times, with their positions; all before `end`."""
        stamps = Stamps(self._step)
        for packet in self._container.demux([self.stream]):
            for frame in _decoded(packet):
                position = self.position(stamps.of(frame))
                if position < self.end:
                    self.fruitful = True
                    yield frame, position


def _decoded(packet: Packet[Stream]) -> list[Frame]:
    try:
        return list(packet.decode())  # type: ignore[arg-type]  # of a picture or sound stream, never subtitles
    except av.error.InvalidDataError:
        return []  # a damaged packet is skipped, as every player does
