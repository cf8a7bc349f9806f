"""Garbage collection: full collections run only when they do not disturb viewers.

Nearly everything is freed by reference counting, including viewers that have left (`webrtc.internals.break_cycles`).
Each of them leaves about 10 to 20 objects in cycles, and libraries leave some. A full collection visits every tracked
object on the event loop's thread: 60 to 90 ms for the 66 000 objects of imported modules. The objects that new viewers
create would trigger it while they join. A frame lasts 33 ms.

So the objects of start-up are frozen, which excludes them from collections. Young generations are collected as usual
(about 1 ms). Full collections run only from here, when no viewer has joined or left for a while (1 to 2 ms with a few
viewers). With hundreds of viewers they would take 60 to 175 ms, so then the viewers that are present are frozen, too:
what they leave behind stays in memory until nobody watches, or until `MAX_LEFT` of them have left. Without viewers,
everything is unfrozen, collected and frozen again.
"""

from __future__ import annotations

import asyncio
import gc

from broadcaster.model.stream import StreamState, StreamStatus

QUIET_TIME = 5.0
"""Seconds without a join or leave before a full collection."""

LONGEST_DELAY = 60.0
"""Longest delay of a full collection in seconds, from the first join or leave."""

FEW = 30
"""Viewers with whom a full collection takes less than a third of a frame interval."""

MAX_LEFT = 5000
"""Viewers that have left since everything was collected, after which this happens while others watch: about 10 MB."""

_MIDDLE = 1
"""The oldest generation that is collected while many watch."""

INTERVAL = 600.0
"""Seconds between full collections without any join or leave: HTTP requests leave cycles, too."""

_NEVER = 1_000_000
"""Threshold of the oldest generation that keeps Python from starting a full collection itself."""


class GarbageCollection:
    """Schedules the full collections (a component)."""

    def __init__(self) -> None:
        self._viewers = 0
        self._left = 0
        self._changed_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Freeze all existing objects, and take over full collections from Python."""
        gc.collect()
        gc.freeze()
        young, middle, _ = self._thresholds
        gc.set_threshold(young, middle, _NEVER)
        self._schedule(INTERVAL)

    def close(self) -> None:
        """Restore Python's own collection; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.unfreeze()
            gc.set_threshold(*self._thresholds)

    def stream_changed(self, status: StreamStatus) -> None:
        """Freeze the libraries of the sources once they are loaded; this takes no time."""
        if status.state is StreamState.LIVE:
            gc.freeze()

    def viewers_changed(self, count: int) -> None:
        """Postpone the collection until no viewer has joined or left for a while, up to `LONGEST_DELAY`."""
        self._left += max(self._viewers - count, 0)
        self._viewers = count
        now = asyncio.get_running_loop().time()
        if self._changed_at is None:
            self._changed_at = now
        self._schedule(min(QUIET_TIME, self._changed_at + LONGEST_DELAY - now))

    def _schedule(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(delay, 0.0), self._collect)

    def _collect(self) -> None:
        self._changed_at = None
        if not self._viewers or self._left > MAX_LEFT:
            self._left = 0
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        elif self._viewers > FEW:
            gc.collect(_MIDDLE)
            gc.freeze()
        else:
            gc.collect()
        self._schedule(INTERVAL)
