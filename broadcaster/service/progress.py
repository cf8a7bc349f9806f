"""Progress monitor: detects a stream that is stuck in its state, so that systemd restarts the daemon."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.model.stream import StreamState
from broadcaster.stream.backoff import LONGEST_DELAY
from broadcaster.stream.machine import STARTING_LIMIT

LIVE_LIMIT = 5.0
"""Seconds without a picture while live; a stalled source makes the stream `failed` long before."""

STOPPING_LIMIT = 10.0
"""Seconds that sources have to close; each has a shorter deadline of its own."""

RETRY_LIMIT = LONGEST_DELAY + STARTING_LIMIT + STOPPING_LIMIT
"""Longest time between retries in seconds: closing the sources, the longest back-off, and a failed start."""

_GRACE = 2.0
"""Seconds that the state machine's own timer may be late."""

_LIMITS = {
    StreamState.STARTING: STARTING_LIMIT + _GRACE,
    StreamState.LIVE: LIVE_LIMIT,
    StreamState.STOPPING: STOPPING_LIMIT + _GRACE,
    StreamState.FAILED: RETRY_LIMIT + _GRACE,
}

_MISSING = {
    StreamState.STARTING: "starting, but neither live nor failed",
    StreamState.LIVE: "live, but no picture",
    StreamState.STOPPING: "stopping, but not offline",
    StreamState.FAILED: "failed, but no retry",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stream's state, and how many pictures it has delivered and how often its sources were opened so far."""

    state: StreamState
    pictures: int
    openings: int


class ProgressMonitor:
    """Compares snapshots of the stream: in each state, something must happen within a limit.

    Live: a picture. Failed: a retry. Starting and stopping: the state must end. Offline: nothing.
    """

    def __init__(self, now: float) -> None:
        self._last: tuple[StreamState, int] | None = None
        self._since = now

    def stuck(self, snapshot: Snapshot, now: float) -> str | None:
        """Return a description for the log if the stream is stuck, else None."""
        current = (snapshot.state, _count(snapshot))
        if current != self._last:
            self._last = current
            self._since = now
        limit = _LIMITS.get(snapshot.state)
        idle = now - self._since
        return None if limit is None or idle <= limit else f"{_MISSING[snapshot.state]} for {idle:.0f} s"


def _count(snapshot: Snapshot) -> int:
    """Return the counter that must grow in this state; 0 if there is none."""
    if snapshot.state is StreamState.LIVE:
        return snapshot.pictures
    return snapshot.openings if snapshot.state is StreamState.FAILED else 0
