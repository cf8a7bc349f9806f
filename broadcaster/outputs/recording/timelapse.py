"""The timelapse: keyframes as they are, far apart, in files that play them fast. Nothing is decoded or encoded."""

from __future__ import annotations

import logging
import time

from broadcaster.media.mp4 import Tracks, tracks_of
from broadcaster.model.recording import RecordingKind
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState, StreamStatus
from broadcaster.outputs.recording.segmenter import MAX_FILE
from broadcaster.outputs.subscription import LastingSubscription
from broadcaster.ports import Clock, StreamControl
from broadcaster.ports.recording import Chunk, RecordingStore, Segment
from broadcaster.stream.hub import Hub

log = logging.getLogger(__name__)

PICTURE = 1 / 15
"""Seconds for which each picture is shown."""
TOLERANCE = 0.1
"""Seconds by which a keyframe may come early: capture times are not exact."""

_NAME = "timelapse"


class _File:
    """The file that is being written: its pictures and bytes so far, and the local day on which it began."""

    def __init__(self, segment: Segment, day: int) -> None:
        self.segment = segment
        self.day = day
        self.pictures = 0
        self.bytes = 0

    def chunk(self, unit: AccessUnit) -> Chunk:
        """Return the next picture at its place in the file."""
        at = self.segment.started + self.pictures * PICTURE
        picture = AccessUnit(unit.data, at, keyframe=True)
        return Chunk((picture,), (), at + PICTURE, self.segment.tracks, begins_source=not self.pictures)


class Timelapse:
    """Hands a keyframe every `interval` seconds to the disk's thread (`hub.Subscriber`).

    A file ends with the local day, when the stream goes offline, and when the size of the pictures changes; not when
    the source is opened again.
    """

    def __init__(self, hub: Hub, stream: StreamControl, store: RecordingStore, clock: Clock, interval: float) -> None:
        self._store = store
        self._clock = clock
        self._interval = interval
        self._due = float("-inf")
        self._file: _File | None = None
        self._subscription = LastingSubscription(hub, stream, _NAME, self, self._stream_changed)

    def start(self) -> None:
        """Follow the stream."""
        self._subscription.start()

    def close(self) -> None:
        """End the file, and follow the stream no longer; idempotent."""
        self._subscription.close()
        self._end()

    def report(self) -> dict[str, object]:
        """Return the status for the operator: the interval, the pictures in the file, and what is wrong."""
        pictures = 0 if self._file is None else self._file.pictures
        return {"interval": self._interval, "pictures": pictures, "problem": self._store.problem}

    def source_changed(self) -> None:
        """Go on with the next keyframe (`hub.Subscriber`)."""

    def video(self, unit: AccessUnit, now: float) -> bool:
        """Take a keyframe that is due (`hub.Subscriber`)."""
        if unit.keyframe and unit.captured >= self._due - TOLERANCE:
            # A keyframe comes a little late, which does not add up: on average, the interval is right.
            is_late = unit.captured - self._due >= self._interval
            self._due = self._interval + (unit.captured if is_late else self._due)
            self._take(unit, now)
        return True

    def audio(self, frame: OpusFrame, now: float) -> None:
        """Ignore audio (`hub.Subscriber`)."""

    def ended(self, error: Exception) -> None:
        """Subscribe again in a moment (`hub.Subscriber`)."""
        self._end()
        self._subscription.renew()

    def _stream_changed(self, status: StreamStatus) -> None:
        if status.state is StreamState.OFFLINE:
            self._end()

    def _take(self, unit: AccessUnit, now: float) -> None:
        try:
            tracks = tracks_of(unit.data, audio=False)
        except ValueError as error:
            log.debug("a keyframe is omitted from the timelapse: %s", error)  # the recorder warns
            return
        file = self._file_for(unit, tracks, now)
        if file is None:
            return
        chunk = file.chunk(unit)
        if self._store.write(file.segment, chunk):
            file.pictures += 1
            file.bytes += chunk.size
        else:
            self._end()

    def _file_for(self, unit: AccessUnit, tracks: Tracks, now: float) -> _File | None:
        """Return the file for a picture; None while the disk takes nothing."""
        day, file = time.localtime(self._clock.unix()).tm_yday, self._file
        if file is not None and file.segment.tracks == tracks and file.day == day and file.bytes < MAX_FILE:
            return file
        self._end()
        if self._store.may_begin(now):
            segment = Segment(unit.captured, tracks, kind=RecordingKind.TIMELAPSE)
            self._store.begin(segment)
            self._file = _File(segment, day)
        return self._file

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._store.end(file.segment)
