"""Whether the stream does what its state promises; a daemon whose stream is stuck is started anew."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.model.stream import StreamState
from broadcaster.stream.backoff import LONGEST_DELAY
from broadcaster.stream.machine import STARTING_LIMIT

LIVE_LIMIT = 5.0
"""Seconds without a picture while live; a stalled source makes the stream `failed` long before."""

STOPPING_LIMIT = 10.0
"""Seconds that sources have to close; each of their own deadlines is shorter."""

RETRY_LIMIT = LONGEST_DELAY + STARTING_LIMIT + STOPPING_LIMIT
"""Seconds from one retry to the next at most: closing the sources, the longest back-off, and a try in vain."""

_GRACE = 2.0
"""Seconds that the state machine's own timer may be late."""

_LIMITS = {
    StreamState.STARTING: STARTING_LIMIT + _GRACE,
    StreamState.LIVE: LIVE_LIMIT,
    StreamState.STOPPING: STOPPING_LIMIT + _GRACE,
    StreamState.FAILED: RETRY_LIMIT + _GRACE,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be seen of the stream from outside: its state, how many pictures it ever gave, how often its
    sources were opened."""

    state: StreamState
    pictures: int
    openings: int


class ProgressMonitor:
    """Judges a trace of `Snapshot`: each state has one thing that must happen again within its limit.

    Live: a picture. Failed: another retry. Starting and stopping: they must end. Offline: nothing.
    """

    def __init__(self, now: float) -> None:
        self._evidence: tuple[StreamState, int] | None = None
        self._since = now

    def stuck(self, seen: Snapshot, now: float) -> str | None:
        """What has not happened for too long, for the log; None while all goes well."""
        evidence = (seen.state, _count(seen))
        if evidence != self._evidence:
            self._evidence = evidence
            self._since = now
        limit = _LIMITS.get(seen.state)
        idle = now - self._since
        return None if limit is None or idle <= limit else f"{_MISSING[seen.state]} for {idle:.0f} s"


_MISSING = {
    StreamState.STARTING: "starting, and neither live nor failed",
    StreamState.LIVE: "live, and no picture",
    StreamState.STOPPING: "stopping, and not offline",
    StreamState.FAILED: "failed, and no retry",
}


def _count(seen: Snapshot) -> int:
    """The number that must grow in this state."""
    if seen.state is StreamState.LIVE:
        return seen.pictures
    return seen.openings if seen.state is StreamState.FAILED else 0
