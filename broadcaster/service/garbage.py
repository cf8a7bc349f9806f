"""When Python looks for reference cycles: not while viewers join.

Reference counts free nearly everything here at once, a viewer that has left included (`webrtc.internals.break_cycles`).
What is left are some 20 objects for each viewer, and what libraries leave. But Python's collector walks all objects
that exist to find them, on the event loop's thread: 60 to 90 ms for the 66 000 objects of imported modules, right
when many viewers join, because they make new objects. A picture lasts 33 ms.

So: what start-up made is frozen, which takes it out of every collection. Young objects are collected as usual, in
1 to 2 ms. Old objects are collected only by this file, when no viewer has come or gone for a while; while nobody
watches, everything is looked through, and what is left is frozen again.
"""

from __future__ import annotations

import asyncio
import gc

from broadcaster.model.stream import StreamState, StreamStatus

QUIET = 5.0
"""Seconds without a viewer that comes or goes after which old objects are collected."""

LATEST = 60.0
"""Seconds from the first viewer that came or went until they are collected in any case."""

REGULAR = 600.0
"""Seconds between two collections while no viewer comes or goes: HTTP requests leave cycles too."""

_NEVER = 1_000_000
"""Collections of the middle generation before Python collects old objects by itself."""


class GarbageCollection:
    """Decides when old objects are collected (a component)."""

    def __init__(self) -> None:
        self._viewers = 0
        self._changed_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thresholds = gc.get_threshold()

    def start(self) -> None:
        """Freeze what exists, and leave old objects to this class."""
        gc.collect()
        gc.freeze()
        young, middle, _ = self._thresholds
        gc.set_threshold(young, middle, _NEVER)
        self._schedule(REGULAR)

    def close(self) -> None:
        """Leave everything as it was found; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.unfreeze()
            gc.set_threshold(*self._thresholds)

    def stream_changed(self, status: StreamStatus) -> None:
        """Freeze the libraries of sources when they are loaded; it takes no time."""
        if status.state is StreamState.LIVE:
            gc.freeze()

    def viewers_changed(self, count: int) -> None:
        """Put the collection off until no viewer comes or goes, but not for ever."""
        self._viewers = count
        now = asyncio.get_running_loop().time()
        if self._changed_at is None:
            self._changed_at = now
        self._schedule(min(QUIET, self._changed_at + LATEST - now))

    def _schedule(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(delay, 0.0), self._collect)

    def _collect(self) -> None:
        self._changed_at = None
        if self._viewers:
            gc.collect()
        else:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        self._schedule(REGULAR)
