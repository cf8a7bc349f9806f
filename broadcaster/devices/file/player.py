"""Plays the pictures of a file in a loop, each when it is due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from broadcaster.devices.file.media_file import MediaFile
from broadcaster.devices.file.media_info import MediaInfo
from broadcaster.devices.file.passing import LONGEST_PAUSE
from broadcaster.devices.file.pipelines import CannotPass, Pipeline
from broadcaster.devices.file.run import Run
from broadcaster.devices.file.timeline import PATIENCE
from broadcaster.devices.thread import SourceThread
from broadcaster.errors import SourceError
from broadcaster.model.stream import AccessUnit
from broadcaster.ports import Clock

log = logging.getLogger(__name__)

REPEAT = 0.2
"""Seconds after which the last picture is sent again while there is no other: a pause is no stalled camera."""
LONGEST_LAG = 5.0
"""Seconds that decoding may fall behind before the timeline waits; until then it skips to the next keyframe."""
_STEP = 0.01
"""Seconds between two looks whether the other source has come to the end of the loop."""
_TICK = 0.001
"""Seconds that capture times of two pictures are apart at least."""
_LOOK = 1.0
"""Seconds between two looks whether a still picture has been replaced."""


class Player:
    """Runs in the source's thread. `make` gives the pipeline for what the file holds when that has changed."""

    def __init__(
        self,
        clock: Clock,
        file: MediaFile,
        thread: SourceThread[AccessUnit],
        make: Callable[[MediaInfo], Pipeline],
    ) -> None:
        self._clock = clock
        self._file = file
        self._timeline = file.timeline
        self._thread = thread
        self._make = make
        self._position = -1.0
        self._shown_at: float | None = None
        self._last_captured = float("-inf")
        self._late = 0.0
        self._length = 0.0
        self._next: Run | None = None

    def play(self, run: Run, pipeline: Pipeline) -> None:
        """Play `run` and all that follow, until the thread is to end. Raises `SourceError`."""
        try:
            while True:
                try:
                    end = self._play(run, pipeline)
                except CannotPass as obstacle:
                    run.close()
                    info = self._file.encode_instead("video", str(obstacle))
                    pipeline = self._make(info)
                    run = self._file.join("video", info, self._clock.monotonic())
                    continue
                if end is None:
                    return
                self._length = end - run.offset
                info, prepared, self._next = run.info, self._next, None
                run = self._file.follow(run, end, prepared)
                if run.info is not info:
                    pipeline = self._make(run.info)
        finally:
            run.close()
            if self._next:
                self._next.close()

    def _play(self, run: Run, pipeline: Pipeline) -> float | None:
        """Play one run; the position where its loop ends, None when it is time to return."""
        before: Any = None
        shown = 0
        for picture, position in pipeline.pictures(run):
            if position < run.begin:
                before = picture  # decoded only: another source has been playing for a while
                continue
            if position <= self._position:
                continue
            if shown == 0 and not self._begin(run, pipeline, before or picture, position, joined=before is not None):
                return None
            if not self._show(run, pipeline, picture, position):
                return None
            shown += 1
        if shown == 0 and before is not None and not self._begin(run, pipeline, before, run.begin + 1, joined=True):
            return None
        if shown == 1 and not self._timeline.plays("audio") and not self._hold_still(run, pipeline):
            return None
        return self._finish(run, pipeline)

    def _begin(self, run: Run, pipeline: Pipeline, picture: Any, position: float, *, joined: bool) -> bool:
        """Show a picture before the first one of the run is due, if there is none to be seen until then."""
        if not pipeline.can_repeat or position - run.begin <= REPEAT or (pipeline.has_picture and not joined):
            return True
        if not self._thread.pause(-self._timeline.lateness(run.begin, self._clock.monotonic())):
            return False
        self._deliver(pipeline.units(picture, self._captured(run.begin)))
        return True

    def _show(self, run: Run, pipeline: Pipeline, picture: Any, position: float) -> bool:
        """Show a picture when it is due, and the one before until then; False when it is time to return."""
        while True:
            now = self._clock.monotonic()
            late = self._lateness(run, pipeline, position, now)
            self._prepare_next(run, pipeline, position, now - late)
            repeat_in = self._repeat_in(pipeline, now)
            if repeat_in is None or -late <= repeat_in + REPEAT / 2:
                break
            if not self._hold(pipeline, repeat_in):
                return False
        if not self._thread.pause(self._timeline.due(position) - self._clock.monotonic()):
            return False
        left_out = pipeline.leaves_out(late)
        self._count_left_out(pipeline, position, left_out, now)
        self._position = position
        if not left_out:
            self._deliver(pipeline.units(picture, self._captured(position)))
        return True

    def _count_left_out(self, pipeline: Pipeline, position: float, left_out: bool, now: float) -> None:
        """Count this picture if it is left out, and those that the decoder left out before it."""
        is_late = self._late > pipeline.period and self._position >= 0
        skipped = round((position - self._position) / pipeline.period) - 1 if is_late else 0
        pipeline.count_left_out(max(0, skipped) + left_out, now)

    def _lateness(self, run: Run, pipeline: Pipeline, position: float, now: float) -> float:
        """Seconds by which a picture is late.

        Who is late all at once has slept, and slow storage is slow for sound as well: the timeline waits for both.
        Decoding that is too slow is helped instead: by leaving out pictures that no other needs, then by skipping
        to keyframes, while the sound goes on.
        """
        late = now - self._timeline.due(position)
        sudden = late - self._late > PATIENCE
        patience = LONGEST_LAG if pipeline.can_repeat and not sudden and not run.is_starved else PATIENCE
        late = self._late = self._timeline.lateness(position, now, patience)
        if pipeline.can_repeat and late <= 0:
            run.leave_out(unreferenced=False)
        elif pipeline.can_repeat and not run.is_starved and late > pipeline.period:
            run.leave_out(unreferenced=True)
            if late > 2 * pipeline.period:
                run.catch_up(self._timeline.position(now))
        return late

    def _prepare_next(self, run: Run, pipeline: Pipeline, position: float, until: float) -> None:
        """Use spare time shortly before the end to open the next run, and to decode what its first picture needs."""
        length = self._length or run.info.length
        if not pipeline.can_repeat or not length or position - run.offset < length - self._lead(run):
            return
        try:
            while self._clock.monotonic() < until - _STEP:
                if self._next is None:
                    self._next = self._file.open_run("video", run.info)
                elif self._next.prepare():
                    return
        except SourceError:
            self._next = None  # opening it in earnest says why

    def _lead(self, run: Run) -> float:
        """Seconds before the end at which to start preparing: enough for a film whose first picture lies deep."""
        return max(2.0, 2 * run.info.preparation)

    def _hold_still(self, run: Run, pipeline: Pipeline) -> bool:
        """Keep a single picture until it is replaced: opening it again and again shows nothing new."""
        while not self._file.has_changed():
            until = self._clock.monotonic() + _LOOK
            while self._clock.monotonic() < until:
                if not self._idle(pipeline, REPEAT, "it is a single picture"):
                    return False
        run.end = max(run.end, self._timeline.position(self._clock.monotonic()))
        return True

    def _finish(self, run: Run, pipeline: Pipeline) -> float | None:
        """Keep the last picture until all sources have come to the end of the loop."""
        why = "its sound goes on after its picture"
        self._timeline.ended("video", run.loop, run.end)
        while (end := self._timeline.loop_end(run.loop)) is None:
            if not self._idle(pipeline, _STEP, why):
                return None
        if not pipeline.can_repeat and end - run.end > LONGEST_PAUSE:
            raise CannotPass(why)
        return end

    def _idle(self, pipeline: Pipeline, seconds: float, why: str) -> bool:
        """Wait without another picture; False when it is time to return."""
        now = self._clock.monotonic()
        if not pipeline.can_repeat and self._shown_at is not None and now - self._shown_at > LONGEST_PAUSE:
            raise CannotPass(why)
        repeat_in = self._repeat_in(pipeline, now)
        if repeat_in is not None and repeat_in <= seconds:
            return self._hold(pipeline, repeat_in)
        return self._thread.pause(seconds)

    def _repeat_in(self, pipeline: Pipeline, now: float) -> float | None:
        """Seconds until the last picture has to be sent again."""
        if not pipeline.has_picture or self._shown_at is None:
            return None
        return max(0.0, self._shown_at + REPEAT - now)

    def _hold(self, pipeline: Pipeline, seconds: float) -> bool:
        if not self._thread.pause(seconds):
            return False
        self._deliver(pipeline.repeat(max(self._clock.monotonic(), self._last_captured + _TICK)))
        return True

    def _captured(self, position: float) -> float:
        """When a picture counts as captured: when it was due, but not long ago and not before the last one."""
        captured = max(self._timeline.due(position), self._clock.monotonic() - PATIENCE)
        return max(captured, self._last_captured + _TICK)

    def _deliver(self, units: Iterator[AccessUnit]) -> None:
        for unit in units:
            self._shown_at = self._clock.monotonic()
            self._last_captured = unit.captured
            self._thread.deliver(unit)
