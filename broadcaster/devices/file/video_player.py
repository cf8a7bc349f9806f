"""Playback of a file's video in a loop, each picture when it is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.passthrough import MAX_GAP
from broadcaster.devices.file.pipelines import PassthroughImpossible, Pipeline
from broadcaster.devices.file.timeline import TOLERANCE
from broadcaster.devices.file.track_reader import TrackReader
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock

REPEAT = 0.2
"""Seconds after which the last picture is repeated while there is no other, or a pause would look like a stall."""
MAX_DECODING_LAG = 5.0
"""Seconds that decoding may fall behind before the timeline is moved; until then it skips to the next keyframe."""
_POLL_INTERVAL = 0.01
"""Seconds between two checks whether the audio has reached the end of the loop."""
_MIN_INTERVAL = 0.001
"""Minimum seconds between the capture times of two pictures."""
_FILE_CHECK_INTERVAL = 1.0
"""Seconds between two checks whether a still picture has been replaced."""


class VideoPlayer:
    """Plays in the source's thread. `create_pipeline` returns the pipeline for the content of the file."""

    def __init__(
        self,
        clock: Clock,
        file: MediaFile,
        thread: SourceThread[AccessUnit],
        create_pipeline: Callable[[MediaInfo], Pipeline],
    ) -> None:
        self._clock = clock
        self._file = file
        self._timeline = file.timeline
        self._thread = thread
        self._create_pipeline = create_pipeline
        self._position = -1.0
        self._shown_at: float | None = None
        self._last_captured = float("-inf")
        self._late = 0.0
        self._loop_duration = 0.0
        self._next: TrackReader | None = None

    def play(self, reader: TrackReader, pipeline: Pipeline) -> None:
        """Play loop after loop, beginning with `reader`, until the thread is closed. Raises `SourceError`."""
        try:
            while True:
                try:
                    end = self._play_loop(reader, pipeline)
                except PassthroughImpossible as obstacle:
                    reader.close()
                    info = self._file.disable_passthrough("video", str(obstacle))
                    pipeline = self._create_pipeline(info)
                    reader = self._file.join("video", info, self._clock.monotonic())
                    continue
                if end is None:
                    return
                self._loop_duration = end - reader.offset
                info, prerolled, self._next = reader.info, self._next, None
                reader = self._file.next_loop(reader, end, prerolled)
                if reader.info is not info:
                    pipeline = self._create_pipeline(reader.info)
        finally:
            reader.close()
            if self._next:
                self._next.close()

    def _play_loop(self, reader: TrackReader, pipeline: Pipeline) -> float | None:
        """Play one loop; return the position where it ends, None if the thread is closed."""
        previous: Any = None
        shown = 0
        for picture, position in pipeline.pictures(reader):
            if position < reader.begin:
                previous = picture  # only decoded: the audio has been playing for a while
                continue
            if position <= self._position:
                continue
            first, joined = previous or picture, previous is not None
            if shown == 0 and not self._bridge_start(reader, pipeline, first, position, joined=joined):
                return None
            if not self._show(reader, pipeline, picture, position):
                return None
            shown += 1
        is_still = shown == 0 and previous is not None  # the last picture was shown before playback joined
        if is_still and not self._bridge_start(reader, pipeline, previous, reader.begin + 1, joined=True):
            return None
        if shown == 1 and not self._timeline.is_playing("audio") and not self._hold_still(reader, pipeline):
            return None
        return self._wait_for_loop_end(reader, pipeline)

    def _bridge_start(
        self, reader: TrackReader, pipeline: Pipeline, picture: Any, position: float, *, joined: bool
    ) -> bool:
        """Show `picture` at the start if the first picture is due much later, at `position`, and none is visible yet.

        `joined`: whether playback joins in the middle of a loop. Returns false if the thread is closed.
        """
        if not pipeline.can_repeat or position - reader.begin <= REPEAT or (pipeline.has_picture and not joined):
            return True
        if not self._thread.pause(-self._timeline.lateness(reader.begin, self._clock.monotonic())):
            return False
        self._deliver(pipeline, pipeline.access_units(picture, self._capture_time(reader.begin)))
        return True

    def _show(self, reader: TrackReader, pipeline: Pipeline, picture: Any, position: float) -> bool:
        """Show a picture when it is due, and repeat the last one until then; return false if the thread is closed."""
        while True:
            now = self._clock.monotonic()
            late = self._lateness(reader, pipeline, position, now)
            self._preroll_next(reader, pipeline, position, now - late)
            repeat_in = self._repeat_in(pipeline, now)
            if repeat_in is None or -late <= repeat_in + REPEAT / 2:
                break
            if not self._repeat(pipeline, repeat_in):
                return False
        if not self._thread.pause(self._timeline.due(position) - self._clock.monotonic()):
            return False
        # If the storage is slow, skipping pictures gains nothing: they have been read already.
        skip = not reader.is_storage_slow and pipeline.should_skip(late)
        self._count_skipped(pipeline, position, skip, now)
        self._position = position
        if not skip:
            self._deliver(pipeline, pipeline.access_units(picture, self._capture_time(position)))
        return True

    def _count_skipped(self, pipeline: Pipeline, position: float, skip: bool, now: float) -> None:
        """Count this picture if it is skipped, and those that the decoder skipped before it."""
        is_late = self._late > pipeline.period and self._position >= 0
        by_decoder = round((position - self._position) / pipeline.period) - 1 if is_late else 0
        pipeline.count_skipped(max(0, by_decoder) + skip, now)

    def _lateness(self, reader: TrackReader, pipeline: Pipeline, position: float, now: float) -> float:
        """Return by how many seconds a picture is late, after countermeasures.

        A sudden delay means that the machine was suspended, and slow storage delays the audio as well: in both cases
        the timeline is moved for video and audio. If decoding is too slow, it is relieved instead, while the audio
        continues: by skipping pictures that no other refers to, then by skipping to keyframes.
        """
        late = now - self._timeline.due(position)
        is_sudden = late - self._late > TOLERANCE
        is_decoding_slow = pipeline.can_repeat and not is_sudden and not reader.is_storage_slow
        tolerance = MAX_DECODING_LAG if is_decoding_slow else TOLERANCE
        late = self._late = self._timeline.lateness(position, now, tolerance)
        if pipeline.can_repeat and late <= 0:
            reader.skip_non_reference(False)
        elif pipeline.can_repeat and not reader.is_storage_slow and late > pipeline.period:
            reader.skip_non_reference(True)
            if late > 2 * pipeline.period:
                reader.skip_to(self._timeline.position(now))
        return late

    def _preroll_next(self, reader: TrackReader, pipeline: Pipeline, position: float, until: float) -> None:
        """Use spare time shortly before the end to open the reader of the next loop and to decode its first picture."""
        duration = self._loop_duration or reader.info.duration
        # Long enough for a file whose first picture takes long to decode.
        lead = max(2.0, 2 * reader.info.preparation)
        if not pipeline.can_repeat or not duration or position - reader.offset < duration - lead:
            return
        try:
            while self._clock.monotonic() < until - _POLL_INTERVAL:
                if self._next is None:
                    self._next = self._file.open_reader("video", reader.info)
                elif self._next.preroll():
                    return
        except SourceError:
            self._next = None  # `next_loop` opens the file again, and reports the error

    def _hold_still(self, reader: TrackReader, pipeline: Pipeline) -> bool:
        """Repeat a single picture until the file is replaced; return false if the thread is closed.

        Playing it in a loop would open the file again and again.
        """
        while not self._file.has_changed():
            until = self._clock.monotonic() + _FILE_CHECK_INTERVAL
            while self._clock.monotonic() < until:
                if not self._idle(pipeline, REPEAT, "it is a single picture"):
                    return False
        reader.end = max(reader.end, self._timeline.position(self._clock.monotonic()))
        return True

    def _wait_for_loop_end(self, reader: TrackReader, pipeline: Pipeline) -> float | None:
        """Repeat the last picture until the audio has reached the end of the loop, too; return the end.

        Returns None if the thread is closed.
        """
        obstacle = "its audio is longer than its video"
        self._timeline.set_end("video", reader.loop, reader.end)
        while (end := self._timeline.loop_end(reader.loop)) is None:
            if not self._idle(pipeline, _POLL_INTERVAL, obstacle):
                return None
        if not pipeline.can_repeat and end - reader.end > MAX_GAP:
            raise PassthroughImpossible(obstacle)
        return end

    def _idle(self, pipeline: Pipeline, seconds: float, obstacle: str) -> bool:
        """Wait without a new picture; return false if the thread is closed.

        Raises `PassthroughImpossible` with `obstacle` if the picture has to be repeated and cannot be.
        """
        now = self._clock.monotonic()
        if not pipeline.can_repeat and self._shown_at is not None and now - self._shown_at > MAX_GAP:
            raise PassthroughImpossible(obstacle)
        repeat_in = self._repeat_in(pipeline, now)
        if repeat_in is not None and repeat_in <= seconds:
            return self._repeat(pipeline, repeat_in)
        return self._thread.pause(seconds)

    def _repeat_in(self, pipeline: Pipeline, now: float) -> float | None:
        """Return in how many seconds the last picture has to be repeated; None if it cannot be."""
        if not pipeline.has_picture or self._shown_at is None:
            return None
        return max(0.0, self._shown_at + REPEAT - now)

    def _repeat(self, pipeline: Pipeline, seconds: float) -> bool:
        if not self._thread.pause(seconds):
            return False
        self._deliver(pipeline, pipeline.repeat(max(self._clock.monotonic(), self._last_captured + _MIN_INTERVAL)))
        return True

    def _capture_time(self, position: float) -> float:
        """Return the capture time for a picture: when it was due, but recent, and after the last picture."""
        captured = max(self._timeline.due(position), self._clock.monotonic() - TOLERANCE)
        return max(captured, self._last_captured + _MIN_INTERVAL)

    def _deliver(self, pipeline: Pipeline, units: Iterator[AccessUnit]) -> None:
        for unit in units:
            self._shown_at = self._clock.monotonic()
            self._last_captured = unit.captured
            self._thread.deliver(unit)
            pipeline.encode_small(unit, self._thread.call)
