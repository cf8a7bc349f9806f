"""A file played in a loop: its content, and the timeline that its video and audio share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from broadcaster.devices.file.media_info import MediaInfo, read_media_info
from broadcaster.devices.file.opening import FileVersion, file_version
from broadcaster.devices.file.timeline import Timeline, TrackKind
from broadcaster.devices.file.track_reader import TrackReader
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import Clock

Item = TypeVar("Item")


class MediaFile:
    """A media file, shared by the video and the audio source."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.timeline = Timeline()
        self.with_audio = False
        """Whether an audio source plays the file too, so that a loop may begin with the audio."""
        self._lock = threading.Lock()  # held as long as the storage takes
        self._abandoned: list[SourceThread[Any]] = []
        self._cached: tuple[FileVersion, MediaInfo] | None = None
        self._clock_jumps = False

    def read_media_info(self) -> MediaInfo:
        """Return what the file contains; blocking; read again only if the file has changed. Raises `SourceError`."""
        with self._lock:
            version = file_version(self.path)
            if self._cached is None or self._cached[0] != version:
                self._cached = version, read_media_info(self.path)
                self._clock_jumps = False
            return self._cached[1]

    def has_changed(self) -> bool:
        """Return whether the file was replaced or has grown since it was last read. Raises `SourceError`."""
        with self._lock:
            return self._cached is None or self._cached[0] != file_version(self.path)

    def disable_passthrough(self, kind: TrackKind, obstacle: str) -> MediaInfo:
        """Return what the file contains, after a track has turned out to need encoding because of `obstacle`."""
        with self._lock:
            assert self._cached is not None
            version, info = self._cached
            if kind == "video" and info.video:
                info = replace(info, video=replace(info.video, obstacle=obstacle))
            elif info.audio:
                info = replace(info, audio=replace(info.audio, passthrough=False))
            self._cached = version, info
            return info

    def start_thread(
        self,
        name: str,
        body: Callable[[SourceThread[Item]], None],
        take: Callable[[Item], None],
        failed: Callable[[SourceError], None],
    ) -> SourceThread[Item]:
        """Start the thread of a source, whose `body` plays inside `playing`. Never blocks.

        Raises `SourceError` while an earlier thread still hangs in the file, or each attempt would leave one more.
        """
        self._abandoned = [thread for thread in self._abandoned if thread.is_running]
        if self._abandoned:
            raise SourceError(StreamReason.FILE, f"{self.path}: does not answer; is its storage disconnected?")
        thread = SourceThread(name, body, take, failed, StreamReason.FILE)
        thread.start()
        return thread

    async def close_thread(self, thread: SourceThread[Any]) -> None:
        """Close a thread that `start_thread` started; one that hangs is abandoned."""
        await thread.close()
        if thread.is_running:
            self._abandoned.append(thread)

    @contextmanager
    def playing(self, kind: TrackKind, clock: Clock, reader: TrackReader) -> Iterator[TrackReader]:
        """In a source's thread: take part in playback inside the block, starting with `reader` at the current time."""
        self.timeline.enter(kind, clock.monotonic())
        try:
            yield self.join(kind, reader.info, clock.monotonic(), reader)
        finally:
            self.timeline.leave(kind)

    def open_reader(self, kind: TrackKind, info: MediaInfo) -> TrackReader:
        """Return a reader from the start of the file, without a position. Raises `SourceError`."""
        return TrackReader(self.path, kind, info, with_audio=self.with_audio)

    def join(self, kind: TrackKind, info: MediaInfo, now: float, reader: TrackReader | None = None) -> TrackReader:
        """Set `reader`, or a new one, to where the timeline is `now`, and return it. Raises `SourceError`."""
        reader = reader or self.open_reader(kind, info)
        loop, offset, begin = self.timeline.join(now)
        reader.set_position(loop, offset, begin, seek=not self._clock_jumps)
        return reader

    def next_loop(self, reader: TrackReader, end: float, prerolled: TrackReader | None = None) -> TrackReader:
        """Close `reader`, whose loop ends at position `end`; return the next one: `prerolled` unless the file changed.

        Raises `SourceError` if the file cannot be read any more, or if `reader` yielded nothing.
        """
        reader.close()
        if not reader.has_output and reader.begin == reader.offset:
            raise SourceError(StreamReason.FILE, f"{self.path}: its {reader.kind} cannot be read")
        self._clock_jumps = self._clock_jumps or reader.jumped
        info = self.read_media_info()
        if prerolled and prerolled.info is not info:
            prerolled.close()
            prerolled = None
        following = prerolled or self.open_reader(reader.kind, info)
        following.expect_read_time(reader.read_time)
        following.set_position(reader.loop + 1, end, end, seek=False)
        return following
