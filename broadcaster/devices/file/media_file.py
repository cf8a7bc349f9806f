"""A file played in a loop: what it holds, and the timeline that its picture and its sound share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from broadcaster.devices.file.media_info import MediaInfo, read_media_info
from broadcaster.devices.file.opening import Version, version_of
from broadcaster.devices.file.run import Run
from broadcaster.devices.file.timeline import Kind, Timeline
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError, StreamReason
from broadcaster.ports import Clock

Item = TypeVar("Item")


class MediaFile:
    """The file. Built once and handed to the video and the audio source."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.timeline = Timeline()
        self.sounding = False
        """Whether a source plays its sound too, so that a loop may begin with it."""
        self._lock = threading.Lock()  # held for as long as the storage takes
        self._left_behind: list[SourceThread[Any]] = []
        self._known: tuple[Version, MediaInfo] | None = None
        self._jumps = False

    def read_media_info(self) -> MediaInfo:
        """What the file holds; blocking, read again only if the file has changed. Raises `SourceError`."""
        with self._lock:
            version = version_of(self.path)
            if self._known is None or self._known[0] != version:
                self._known = version, read_media_info(self.path)
                self._jumps = False
            return self._known[1]

    def has_changed(self) -> bool:
        """Whether the file is another one than at the last look, or has grown. Raises `SourceError`."""
        with self._lock:
            return self._known is None or self._known[0] != version_of(self.path)

    def encode_instead(self, kind: Kind, obstacle: str) -> MediaInfo:
        """What the file holds, now that its picture or sound has turned out not to pass."""
        with self._lock:
            assert self._known is not None
            version, info = self._known
            if kind == "video" and info.video:
                info = replace(info, video=replace(info.video, obstacle=obstacle))
            elif info.audio:
                info = replace(info, audio=replace(info.audio, passes=False))
            self._known = version, info
            return info

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

    @contextmanager
    def playing(self, kind: Kind, clock: Clock, run: Run) -> Iterator[Run]:
        """In a source's thread: play the file inside the block, beginning with `run`, placed where the timeline is."""
        self.timeline.enter(kind, clock.monotonic())
        try:
            yield self.join(kind, run.info, clock.monotonic(), run)
        finally:
            self.timeline.leave(kind)

    def open_run(self, kind: Kind, info: MediaInfo) -> Run:
        """A run from the beginning of the file, to be placed. Raises `SourceError`."""
        return Run(self.path, kind, info, sounding=self.sounding)

    def join(self, kind: Kind, info: MediaInfo, now: float, run: Run | None = None) -> Run:
        """A run, `run` if given, from where the timeline is `now`. Raises `SourceError`."""
        run = run or self.open_run(kind, info)
        loop, offset, begin = self.timeline.join(now)
        run.place(loop, offset, begin, seek=not self._jumps)
        return run

    def follow(self, run: Run, end: float, prepared: Run | None = None) -> Run:
        """The run after `run`, whose loop ends at position `end`: `prepared`, unless the file has changed.

        Raises `SourceError` when the file cannot be read any more, and when nothing came of `run`.
        """
        run.close()
        if not run.fruitful and run.begin == run.offset:
            raise SourceError(StreamReason.FILE, f"{self.path}: nothing in its {run.kind} can be read")
        self._jumps = self._jumps or run.jumped
        info = self.read_media_info()
        if prepared and prepared.info is not info:
            prepared.close()
            prepared = None
        following = prepared or self.open_run(run.kind, info)
        following.place(run.loop + 1, end, end, seek=False)
        return following
