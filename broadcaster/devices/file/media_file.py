"""A file played in a loop: one timeline that its picture and its sound share, so that they stay in step."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Literal, TypeVar

import av
from av.container import InputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Stream

from broadcaster.devices.file.media_info import MediaInfo, Stamps, audio_of, rate_of, read_media_info, video_of
from broadcaster.devices.file.opening import Version, changed, demuxed, explained, open_media, version_of
from broadcaster.devices.opus import FRAME
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import Clock

PATIENCE = 0.5
"""Seconds that a file may fall behind its pace before the timeline gives them up."""
LEAD = 0.1
"""Seconds between the first source's entering and the first picture, in which both open the file."""
SEEK_FROM = 1.0
"""Seconds into a loop from which it is quicker to seek than to read."""

Kind = Literal["video", "audio"]
Item = TypeVar("Item")


class MediaFile:
    """The file and its timeline. Built once and handed to the video and the audio source.

    A *position* is in seconds since playing began, going on and on over all loops: position p is due at
    monotonic time `due(p)`. Playing begins when the first source enters and ends when the last has left.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._known: tuple[Version, MediaInfo] | None = None
        self._reading = threading.Lock()  # held for as long as the storage takes
        self._left_behind: list[SourceThread[Any]] = []
        self._users = 0
        self._origin = 0.0
        self._lock = threading.Lock()  # for the timeline; held for a moment only

    def read_media_info(self) -> MediaInfo:
        """What the file holds; blocking, read again only if the file has changed. Raises `SourceError`."""
        return self._read_media_info()[1]

    def play(
        self,
        name: str,
        body: Callable[[SourceThread[Item]], None],
        take: Callable[[Item], None],
        failed: Callable[[SourceError], None],
    ) -> SourceThread[Item]:
        """Start the thread of a source, whose `body` plays inside `playing`. Never blocks.

        Raises `SourceError` while an earlier thread still hangs in the file: each try would leave one more behind.
        """
        self._left_behind = [thread for thread in self._left_behind if thread.is_running]
        if self._left_behind:
            raise SourceError(StreamReason.FILE, f"{self.path}: does not answer; is its storage disconnected?")
        thread = SourceThread(name, body, take, failed, StreamReason.FILE)
        thread.start()
        return thread

    async def end(self, thread: SourceThread[Any]) -> None:
        """Close a thread that `play` started; one that hangs is left behind."""
        await thread.close()
        if thread.is_running:
            self._left_behind.append(thread)

    @contextlib.contextmanager
    def playing(self, clock: Clock) -> Iterator[MediaInfo]:
        """In a source's thread: look into the file, and play it inside the block.

        Errors of libav and of the operating system inside the block become `SourceError`.
        """
        version, found = self._read_media_info()
        self.enter(clock.monotonic())
        try:
            yield found
        except (av.FFmpegError, OSError) as error:
            raise explained(self.path, version, error) from error
        finally:
            self.leave()

    def enter(self, now: float) -> None:
        """A source begins to play; the first one starts the timeline."""
        with self._lock:
            if self._users == 0:
                self._origin = now + LEAD
            self._users += 1

    def leave(self) -> None:
        """A source has stopped playing."""
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
        known = self._known
        if known is None or known[1] is not found:
            raise changed(self.path)
        version = known[0]
        while True:
            with open_media(self.path, version) as container:
                run = Run(self.path, container, kind, found, loop * found.length, begin)
                yield run
            if not run.fruitful:
                raise SourceError(StreamReason.FILE, f"{self.path}: nothing in its {kind} can be read")
            loop += 1
            begin = loop * found.length

    def _read_media_info(self) -> tuple[Version, MediaInfo]:
        with self._reading:
            version = version_of(self.path)
            if self._known is None or self._known[0] != version:
                self._known = version, read_media_info(self.path)
            return self._known


class Run:
    """One run through a file, for one of its streams.

    It covers the positions from `begin`, which in the first run may lie inside the file, to `end`.
    """

    def __init__(
        self, path: str, container: InputContainer, kind: Kind, found: MediaInfo, offset: float, begin: float
    ) -> None:
        video, audio = video_of(container), audio_of(container)
        stream = video if kind == "video" else audio
        if stream is None:
            raise SourceError(StreamReason.FILE, f"{path}: its {kind} is gone")
        self.stream: Stream = stream
        self.begin = begin
        self.end = offset + found.length
        self.fruitful = False
        self._path = path
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
        for packet in demuxed(self._path, self._container, [self.stream]):
            if packet.size:
                position = self.position(stamps.of(packet))
                if position < self.end:
                    self.fruitful = True
                    yield packet, position

    def frames(self) -> Iterator[tuple[Frame, float]]:
        """The stream's decoded frames in the order of their times, with their positions; all before `end`."""
        stamps = Stamps(self._step)
        for frame in self._decoded():
            position = self.position(stamps.of(frame))
            if position < self.end:
                self.fruitful = True
                yield frame, position

    def _decoded(self) -> Iterator[Frame]:
        codec: Any = self.stream.codec_context  # of a picture or sound stream, never subtitles
        for packet in demuxed(self._path, self._container, [self.stream]):
            if packet.size:  # libav refuses empty ones; the last one, which only stands for the end, is empty too
                yield from _whatever(codec.decode, packet)
        yield from _whatever(codec.decode, None)


def _whatever(decode: Callable[[Packet[Stream] | None], list[Frame]], packet: Packet[Stream] | None) -> list[Frame]:
    """What can be decoded of a packet: a damaged one is skipped, as every player does."""
    try:
        return decode(packet)
    except av.FFmpegError:
        return []
